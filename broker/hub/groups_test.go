package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// fakeGroups implements Groups in memory.
type fakeGroups struct {
	mu     sync.Mutex                 // guards all below
	wires  map[string][]byte          // bytes that each reader has received
	views  map[string]map[string]bool // readers by view
	writes int                        // number of calls of Write
}

var _ Groups = (*fakeGroups)(nil)

func newFakeGroups() *fakeGroups {
	return &fakeGroups{wires: map[string][]byte{}, views: map[string]map[string]bool{}}
}

func (s *fakeGroups) Join(view, reader string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.views[view] == nil {
		s.views[view] = map[string]bool{}
	}
	s.views[view][reader] = true
}

func (s *fakeGroups) Leave(view, reader string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.views[view], reader); len(s.views[view]) == 0 {
		delete(s.views, view)
	}
}

func (s *fakeGroups) Write(view string, frames []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for reader := range s.views[view] {
		s.wires[reader] = append(s.wires[reader], frames...)
	}
}

func (s *fakeGroups) Send(reader string, frames []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wires[reader] = append(s.wires[reader], frames...)
}

// TestGroupReadersReceiveWhatPullingReadersDo lets readers of a hub with Groups
// join at any moment, have splices, change their filters and leave. Each must
// receive every event once and in order. In the end no reader may be left in a
// view.
func TestGroupReadersReceiveWhatPullingReadersDo(t *testing.T) {
	filters := []string{
		"",
		"types=payment_received",
		"subjects=rental/1",
		"modules=rental,employee",
		"types=timesheet_updated,sync_progress",
	}
	synctest.Test(t, func(t *testing.T) {
		const events = 400
		groups := newFakeGroups()
		h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 16, Groups: groups})
		grants := []access.Grant{grant(t, "1", 0, access.Manager), grant(t, "2", 2, access.Yard), grant(t, "3", 3)}
		var all sync.WaitGroup
		for i := range 12 {
			g := grants[i%len(grants)]
			all.Go(func() {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
				r := subscribe(t, h, Request{Grant: g, After: &wire.Cursor{}, Format: wire.JSON, ID: NewID()})
				ctx, leave := context.WithCancel(t.Context())
				var pumping sync.WaitGroup
				pumping.Go(func() {
					for {
						frames, err := r.Next(ctx)
						if err != nil {
							return
						}
						groups.Send(r.ID, frames)
					}
				})
				for n := range 4 {
					time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
					f := parseFilter(t, filters[(i+n)%len(filters)])
					require.NoError(t, r.Refilter(ctx, f, f.Key()))
				}
				time.Sleep(time.Second) // by then all events are published and written
				leave()
				pumping.Wait()
				r.Leave()
				groups.mu.Lock()
				r.decode(groups.wires[r.ID])
				groups.mu.Unlock()
				requireFiltersApplied(t, h, g, r.frames, events)
			})
		}
		for i := range events {
			publish(t, h, i)
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		require.Empty(t, groups.views)
		require.Less(t, groups.writes, 12*events, "the hub writes once for each view, not for each reader")
	})
}

// requireFiltersApplied compares the frames of a stream with the events that its
// reader must receive: by the old filter up to each change of the filter, and by the
// new filter after it.
func requireFiltersApplied(t *testing.T, h *Hub, g access.Grant, frames []wire.Frame, through uint64) {
	t.Helper()
	var f filter.Filter
	var got []uint64
	from := uint64(0)
	require.IsType(t, &wire.Hello{}, frames[0])
	for _, frame := range frames[1:] {
		switch frame := frame.(type) {
		case *wire.Event:
			got = append(got, frame.Cursor.Seq)
		case *wire.FilterChanged:
			want := seqsThrough(expectedSeqs(t, h, g, f, from, through), frame.Through.Seq)
			require.Equal(t, want, got, "up to the change to %s", frame.Filter)
			f, got, from = parseFilter(t, frame.Filter), nil, frame.Through.Seq
		}
	}
	require.Equal(t, expectedSeqs(t, h, g, f, from, through), got)
}
