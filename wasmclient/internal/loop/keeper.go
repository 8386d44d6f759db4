package loop

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// keeper carries the outbox to the broker, and keeps it and the state in the
// storage (disk.go). Only Run's goroutine uses it, but for its jobs: they touch
// the storage one after the other, in a goroutine of their own.
type keeper struct {
	d       *driver
	jobs    *mailbox // of func(): what the storage is to do
	timer   alarm    // of the outbox
	dirty   bool     // the state has changed since it was saved, and is known to be its reader's
	savedAt time.Time
	unsent  int         // how many items wait, or were refused
	asked   bool        // the browser was asked to keep the storage
	kept    wire.Cursor // where the restored history ends; zero: none was
}

// run does the jobs until Run ends.
func (k *keeper) run() {
	for {
		select {
		case <-k.jobs.ready:
			for _, job := range k.jobs.take() {
				if k.d.ctx.Err() != nil {
					return
				}
				job.(func())()
			}
		case <-k.d.ctx.Done():
			return
		}
	}
}

// encode is one of our own types as JSON.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// takes handles what concerns the outbox alone.
func (k *keeper) takes(in any) bool {
	switch in := in.(type) {
	case storageWorks:
		k.rewrite()
	case outbox.Broadcast:
		k.tell(in.Item)
	case outbox.Input:
		k.step(in)
	case port.PageEvent:
		if in == port.Vanished {
			k.saveState(time.Now(), true)
		}
		return false
	default:
		return false
	}
	return true
}

// lead looks again whether this tab sends. One that does takes first what other
// tabs have kept.
func (k *keeper) lead() {
	on := k.d.sends()
	if on {
		d := k.d
		k.jobs.put(func() {
			_ = d.stored(d.ctx, func(ctx context.Context, s port.Storage) error {
				values, err := s.Load(ctx, d.outboxPrefix())
				if err == nil {
					d.mailbox.put(outbox.Learn{Items: items(values)})
				}
				return err
			})
		})
	}
	k.step(outbox.Lead{On: on})
}

// learn takes what another tab tells.
func (k *keeper) learn(raw json.RawMessage) {
	var item outbox.Item
	if json.Unmarshal(raw, &item) == nil {
		k.step(outbox.Learn{Items: []outbox.Item{item}})
	}
}

func (k *keeper) tell(item outbox.Item) {
	k.d.group.post(tabs.Message{Kind: tabs.Outbox, Body: encode(item)})
}

func (k *keeper) step(in outbox.Input) {
	d := k.d
	d.mu.Lock()
	effects := slices.Clone(d.state.Outbox.Step(time.Now(), in))
	d.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case outbox.Save:
			k.save(e.Item)
		case outbox.Forget:
			k.jobs.put(func() {
				_ = d.stored(d.ctx, func(ctx context.Context, s port.Storage) error { return s.Delete(ctx, d.outboxPrefix()+e.ID) })
			})
		case outbox.Broadcast:
			k.tell(e.Item)
		case outbox.Send:
			k.save(e.Item)
			k.jobs.put(func() { d.attempts.Go(func() { d.mailbox.put(d.send(e)) }) })
		case outbox.Alarm:
			k.timer.at(e.At)
		}
	}
	k.count()
	d.changed()
}

// count notes how many items are unsent, and asks the browser to keep the
// storage when some have to wait.
func (k *keeper) count() {
	d := k.d
	d.mu.Lock()
	unsent := unsentOf(d.state.Outbox.Items())
	d.mu.Unlock()
	if unsent != k.unsent {
		k.unsent = unsent
		d.noteUnsent(unsent)
	}
	if p, can := d.storage.(port.Persister); can && unsent > 0 && !k.asked && !d.connected() {
		k.asked = true
		p.Persist()
	}
}

// unsentOf is how many of them wait, or were refused.
func unsentOf(items []outbox.Item) (n int) {
	for _, item := range items {
		if item.State == outbox.Queued || item.State == outbox.Rejected {
			n++
		}
	}
	return n
}

// EntityMoved is the code of an item that was refused because its thing has
// changed since.
const EntityMoved = problem.CodeEntityMoved

// sendWithin bounds one attempt of an item.
const sendWithin = 30 * time.Second

// send carries an item to the broker.
func (d *driver) send(s outbox.Send) outbox.Answered {
	ctx, cancel := context.WithTimeout(d.ctx, sendWithin)
	defer cancel()
	a := outbox.Answered{ID: s.Item.ID}
	var refused *port.Error
	if s.LookUpFirst {
		at, err := d.find(ctx, s.Item)
		known := err == nil || errors.As(err, &refused) && refused.FromBroker && refused.Status < 500
		if !known || at != (wire.Cursor{}) {
			a.Cursor = at
			return a
		}
	}
	e := event.Event{ID: s.Item.ID, Type: s.Item.Type, Data: s.Item.Data, Time: s.Item.Written}
	receipt, err := rest.Publish(ctx, d.cfg.Transport, e, s.Item.Based, d.cfg.Grant)
	if errors.As(err, &refused) && slices.ContainsFunc(refused.Fields, ofTime) {
		e.Time = time.Time{} // This device's clock is ahead, so the broker sets the time.
		receipt, err = rest.Publish(ctx, d.cfg.Transport, e, s.Item.Based, d.cfg.Grant)
	}
	switch {
	case err == nil:
		a.Cursor = receipt.Cursor
	case errors.Is(err, port.ErrNotBroker): // a firewall's page, with 200
		a.Status, a.Code, a.Reachable = 200, "http_200", d.connected()
		a.Problem = "Something else than the broker answered. (http_200)"
	case errors.As(err, &refused):
		a.Status, a.Code, a.Problem, a.RetryAfter = refused.Status, refused.Code, refused.Sentence(), refused.RetryAfter
		a.Reachable = d.connected()
		if refused.Code == EntityMoved {
			a.Problem = "It has changed since you wrote this. Look at it, then send yours all the same, or discard it. (" + EntityMoved + ")"
		}
	}
	return a
}

// ofTime tells whether the broker has refused an event because of its time.
func ofTime(f event.FieldError) bool { return f.Pointer == "/time" }

// find looks for an item in the history of its subject; the zero cursor says
// that it is not there.
func (d *driver) find(ctx context.Context, item outbox.Item) (wire.Cursor, error) {
	f := filter.Filter{Types: []event.Type{item.Type}}
	if item.Subject != "" { // an event that no constructor made may lack it
		f.Subjects = []string{item.Subject}
	}
	next := "oldest"
	if item.After != (wire.Cursor{}) {
		next = item.After.String()
	}
	for {
		p, err := rest.ReadHistory(ctx, d.cfg.Transport, f, url.Values{"after": {next}})
		if err != nil {
			return wire.Cursor{}, err
		}
		for _, e := range p.Events {
			if e.ID == item.ID {
				return wire.ParseCursor(e.Cursor)
			}
		}
		if p.Next == p.Head || p.Next.String() == next {
			return wire.Cursor{}, nil
		}
		next = p.Next.String()
	}
}
