package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

const benchReaders = 1000

// body returns an event as the log holds it.
func body(b *testing.B, i int) []byte {
	e, err := event.RentalStatusUpdated(int64(i%500+1), "active", "Müller Bau GmbH")
	if err != nil {
		b.Fatal(err)
	}
	e.Actor = "service:erp"
	return e.Stamp(fmt.Sprint(i), time.Now()).AppendJSON(nil)
}

// BenchmarkFanOut measures the delivery of an event to a thousand readers of four
// roles, from the log to the bytes of every reader. It does so in two ways:
// through views, as the hub does it, and in the simplest way as a reference,
// which filters, redacts and encodes for each reader and has a channel for each.
// Only results of the same run can be compared.
func BenchmarkFanOut(b *testing.B) {
	roles := []access.Role{access.Manager, access.Dispatcher, access.Yard, access.Admin}
	grants := make([]access.Grant, benchReaders)
	for i := range grants {
		grants[i] = grant(b, fmt.Sprint(i+1), 0, roles[i%len(roles)])
	}
	b.Run("views", func(b *testing.B) { benchViews(b, grants) })
	b.Run("reference", func(b *testing.B) { benchReference(b, grants) })
}

func benchViews(b *testing.B, grants []access.Grant) {
	log := memlog.New("k", time.Hour)
	h := New(Config{Log: log, MaxLag: 1 << 40})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	var readers sync.WaitGroup
	for _, g := range grants {
		s, err := h.Subscribe(ctx, Request{Grant: g})
		if err != nil {
			b.Fatal(err)
		}
		readers.Go(func() {
			defer s.Leave()
			var d wire.Decoder
			for n := 0; n < b.N; {
				frames, err := s.Next(ctx)
				if err != nil {
					b.Error(err)
					return
				}
				// Counting frames is the same small cost in both ways.
				if err := d.Feed(frames, func(m wire.Message) {
					if !m.Empty && m.Type != "hello" {
						n++
					}
				}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		_, err := log.Append(ctx, eventlog.Entry{
			Type: event.TypeRentalStatusUpdated, Subject: "rental/1", Key: fmt.Sprint(i), Body: body(b, i)})
		if err != nil {
			b.Fatal(err)
		}
	}
	readers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(grants)), "ns/delivery")
	cancel()
	<-done
}

func benchReference(b *testing.B, grants []access.Grant) {
	var readers sync.WaitGroup
	channels := make([]chan []byte, len(grants))
	for i := range channels {
		channels[i] = make(chan []byte, 64) // a usual size in such hubs
		readers.Go(func() {
			var d wire.Decoder
			for frames := range channels[i] {
				if err := d.Feed(frames, func(wire.Message) {}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		e, err := Decode(eventlog.Record{Seq: uint64(i + 1), Body: body(b, i)}, "k")
		if err != nil {
			b.Fatal(err)
		}
		for n, g := range grants {
			if redacted, ok := access.Redact(g, e); ok {
				cursor := wire.Cursor{Epoch: "k", Seq: uint64(i + 1)}
				channels[n] <- wire.AppendSSE(nil, &wire.Event{Cursor: cursor, Event: redacted})
			}
		}
	}
	for _, c := range channels {
		close(c)
	}
	readers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(grants)), "ns/delivery")
}

// BenchmarkManyViews measures how long one event to 300 views holds the lock of the hub.
func BenchmarkManyViews(b *testing.B) {
	h := New(Config{Log: memlog.New("k", time.Hour), MaxLag: 1 << 40})
	manager := grant(b, "1", 0, access.Manager)
	others := slices.DeleteFunc(slices.Clone(event.Types), func(t event.Type) bool {
		return t == event.TypeRentalStatusUpdated
	})
	for set := range 300 { // the bits of set choose the other types of a filter
		types := []event.Type{event.TypeRentalStatusUpdated}
		for i, other := range others {
			if set&(1<<i) != 0 {
				types = append(types, other)
			}
		}
		s, err := h.Subscribe(b.Context(), Request{Grant: manager, Filter: filter.Filter{Types: types}})
		if err != nil {
			b.Fatal(err)
		}
		for range 2 { // hello, then the view
			if _, err := s.Poll(); err != nil {
				b.Fatal(err)
			}
		}
	}
	views, locked := h.currentViews(), time.Duration(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e, err := Decode(eventlog.Record{Seq: uint64(i + 1), Body: body(b, i)}, "k")
		if err != nil {
			b.Fatal(err)
		}
		item := &recentEvent{seq: uint64(i + 1), event: e}
		matching := h.encode(item, views)
		h.mu.Lock()
		start := time.Now()
		h.deliverLocked(item, matching, wire.Cursor{Epoch: "k", Seq: item.seq}, start)
		locked += time.Since(start)
		h.mu.Unlock()
		h.dropFrames([]*recentEvent{item})
	}
	b.ReportMetric(float64(len(views)), "views")
	b.ReportMetric(float64(locked.Nanoseconds())/float64(b.N), "ns-locked/op")
}
