package loop

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// A keeper drives the outbox, and keeps outbox and state in the storage. Only Run's goroutine uses it, except for
// its jobs: these use the storage in a goroutine of their own, one after the other.
type keeper struct {
	d     *driver
	jobs  *mailbox[func()]
	alarm alarm // of the outbox

	unsent         int  // items that wait or were refused
	askedToPersist bool // the browser was asked to keep the storage

	dirty       bool // the state has changed since it was saved, and the broker has confirmed the user and the rights
	savedAt     time.Time
	restoredEnd wire.Cursor // the end of the restored history; zero if none was restored
}

// runJobs does the jobs until Run ends.
func (k *keeper) runJobs() {
	for {
		select {
		case <-k.jobs.ready:
			for _, job := range k.jobs.takeAll() {
				if k.d.ctx.Err() != nil {
					return
				}
				job()
			}
		case <-k.d.ctx.Done():
			return
		}
	}
}

// shouldSend reports whether this tab sends the items of the outbox. The tab that leads sends them. A tab on its own
// sends them if it knows of no other tab that leads. A tab that is denied or frozen sends none.
func (d *driver) shouldSend() bool {
	if d.state.Machine.Status().State == conn.Denied {
		return false
	}
	if d.group == nil {
		return true
	}
	member := d.state.Member
	return !d.group.isSuspended && member.Role() != tabs.Follower && !member.OtherLeads()
}

// updateLead tells the outbox whether this tab sends. A tab that sends first learns what other tabs have stored.
func (k *keeper) updateLead() {
	on := k.d.shouldSend()
	if on {
		d := k.d
		k.jobs.put(func() {
			_ = d.withStorage(d.ctx, func(ctx context.Context, s port.Storage) error {
				values, err := s.Load(ctx, d.outboxPrefix())
				if err == nil {
					d.mailbox.put(outboxMessage{outbox.Learn{Items: itemsOf(values)}})
				}
				return err
			})
		})
	}
	k.step(outbox.Lead{On: on})
}

// handleBroadcast learns an item that another tab has broadcast.
func (k *keeper) handleBroadcast(raw json.RawMessage) {
	var item outbox.Item
	if json.Unmarshal(raw, &item) == nil {
		k.step(outbox.Learn{Items: []outbox.Item{item}})
	}
}

// broadcast sends an item to the other tabs.
func (k *keeper) broadcast(item outbox.Item) {
	k.d.group.post(tabs.Message{Kind: tabs.Outbox, Body: encode(item)})
}

// step gives an input to the outbox, and carries out the effects.
func (k *keeper) step(in outbox.Input) {
	d := k.d
	d.mu.Lock()
	effects := slices.Clone(d.state.Outbox.Step(time.Now(), in))
	d.mu.Unlock()
	for _, e := range effects {
		k.carryOut(e)
	}
	k.noteUnsent()
	d.changed()
}

func (k *keeper) carryOut(e outbox.Effect) {
	d := k.d
	switch e := e.(type) {
	case outbox.Save:
		k.queueSave(e.Item)
	case outbox.Forget:
		k.jobs.put(func() {
			_ = d.withStorage(d.ctx, func(ctx context.Context, s port.Storage) error {
				return s.Delete(ctx, d.outboxPrefix()+e.ID)
			})
		})
	case outbox.Broadcast:
		k.broadcast(e.Item)
	case outbox.Send:
		k.queueSave(e.Item)
		k.jobs.put(func() {
			d.goroutines.Go(func() { d.mailbox.put(outboxMessage{d.sendItem(e)}) })
		})
	case outbox.Alarm:
		k.alarm.set(e.At)
	}
}

// noteUnsent notes beside the storage how many items are unsent, and asks the browser to keep the storage when
// items have to wait.
func (k *keeper) noteUnsent() {
	d := k.d
	d.mu.Lock()
	unsent := countUnsent(d.state.Outbox.Items())
	d.mu.Unlock()
	if unsent != k.unsent {
		k.unsent = unsent
		d.writeNote(unsent)
	}
	if p, can := d.storage.(port.Persister); can && unsent > 0 && !k.askedToPersist && !d.isConnected() {
		k.askedToPersist = true
		p.Persist()
	}
}

// countUnsent returns how many items wait or were refused.
func countUnsent(items []outbox.Item) (n int) {
	for _, item := range items {
		if isUnsent(item) {
			n++
		}
	}
	return n
}

func isUnsent(item outbox.Item) bool {
	return item.State == outbox.Queued || item.State == outbox.Rejected
}

// encode returns a value of a type of the client's own as JSON.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
