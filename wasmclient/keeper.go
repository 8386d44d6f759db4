package wasmclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// keeper carries the outbox to the broker, and keeps it and the state in the
// storage. Only Run's goroutine uses it, but for its jobs: they touch the
// storage one after the other, in a goroutine of their own.
type keeper struct {
	d       *driver
	jobs    *mailbox // of func(): what the storage is to do
	timer   alarm    // of the outbox
	dirty   bool     // the state has changed since it was saved
	savedAt time.Time
	kept    wire.Cursor // where the restored history ends; zero: none was
}

// Keys in the storage. Others are the app's.
const (
	StateKey  = "state"   // the last snapshot and history; an app may delete it
	outboxKey = "outbox/" // and the user, and the item's id
)

// record is the value of StateKey.
type record struct {
	User   string      `json:"user"`
	Grant  string      `json:"grant"`
	At     time.Time   `json:"at"`
	Cursor wire.Cursor `json:"cursor"` // the history ends there
	store.Saved
}

const (
	storedWithin = 3 * time.Second // a storage that does not answer must not hold up page and outbox
	saveEvery    = 20 * time.Second
)

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

// stored does something with the storage. Where that fails, or takes too long,
// what is kept is in memory from now on, and View says so. The error is ctx's.
func (c *Client) stored(ctx context.Context, do func(context.Context, Storage) error) error {
	c.mu.Lock()
	storage := c.storage
	c.mu.Unlock()
	within, done := context.WithTimeout(ctx, storedWithin)
	err := do(within, storage)
	done()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	c.mu.Lock()
	if !c.unsaved {
		c.storage, c.unsaved = &Memory{}, true
	}
	memory := c.storage
	c.mu.Unlock()
	_ = do(ctx, memory) // it takes everything
	c.changed()
	return nil
}

// encode is one of our own types as JSON.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func (c *Client) outboxPrefix() string { return outboxKey + url.PathEscape(c.o.Grant.User) + "/" }

// keep saves an item.
func (c *Client) keep(ctx context.Context, item outbox.Item) error {
	raw := encode(item)
	return c.stored(ctx, func(ctx context.Context, s Storage) error { return s.Save(ctx, c.outboxPrefix()+item.ID, raw) })
}

// restore takes what was kept for this user, and drops what was for another.
func (d *driver) restore() {
	var values map[string][]byte
	_ = d.stored(d.ctx, func(ctx context.Context, s Storage) (err error) { // the loop sees that ctx has ended
		values, err = s.Load(ctx, "")
		return err
	})
	drop := func(key string) {
		delete(values, key)
		_ = d.stored(d.ctx, func(ctx context.Context, s Storage) error { return s.Delete(ctx, key) })
	}
	for key := range values {
		if strings.HasPrefix(key, outboxKey) && !strings.HasPrefix(key, d.outboxPrefix()) {
			drop(key)
		}
	}
	var r record
	if raw, found := values[StateKey]; found && (json.Unmarshal(raw, &r) != nil || r.User != d.o.Grant.User || r.Grant != d.o.Grant.ID() || r.Snapshot.Grant != r.Grant) {
		// It was for other eyes, or is of a version that wrote otherwise. Of the
		// same user the outbox stays: the broker judges it.
		drop(StateKey)
		r = record{}
	}
	now := time.Now()
	if d.o.Snapshot && r.Grant != "" {
		d.mu.Lock()
		d.store.Restore(r.Saved, now)
		d.asOf, d.keeper.kept = r.At, r.Cursor
		d.machine.Keep(r.Cursor)
		d.mu.Unlock()
	}
	d.keeper.step(outbox.Learn{Items: items(values)})
	d.changed()
}

// items reads those of a storage.
func items(values map[string][]byte) (all []outbox.Item) {
	for key, raw := range values {
		var item outbox.Item
		if strings.HasPrefix(key, outboxKey) && json.Unmarshal(raw, &item) == nil && item.ID != "" {
			all = append(all, item)
		}
	}
	return all
}

// saveState keeps the state, in the tab that leads, at most every saveEvery
// unless it is the last chance.
func (k *keeper) saveState(now time.Time, last bool) {
	d := k.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if !k.dirty || d.member.Role() == tabs.Follower || !last && now.Sub(k.savedAt) < saveEvery {
		return
	}
	saved, ok := d.store.Saved(now)
	// What the store holds may be for other eyes by now, or for nobody's.
	if !ok || d.o.Storage == nil || saved.Snapshot.Grant != d.o.Grant.ID() || d.machine.Status().State == conn.Denied {
		return
	}
	k.dirty, k.savedAt = false, now
	r := record{User: d.o.Grant.User, Grant: d.o.Grant.ID(), At: now, Cursor: d.machine.Cursor(), Saved: saved}
	k.jobs.put(func() {
		raw := encode(r)
		_ = d.stored(d.ctx, func(ctx context.Context, s Storage) error { return s.Save(ctx, StateKey, raw) })
	})
}

// saveFirst keeps the state as soon as it is whole: who opens the app once and
// then goes offline finds it.
func (k *keeper) saveFirst(now time.Time) {
	if k.savedAt.IsZero() && k.d.machine.CaughtUp() {
		k.saveState(now, true)
	}
}

// takes handles what concerns the outbox alone.
func (k *keeper) takes(in any) bool {
	switch in := in.(type) {
	case outbox.Tell:
		k.tell(in.Item)
	case outbox.Learn, outbox.Answered, outbox.Retry, outbox.Discard, outbox.Tick:
		k.step(in)
	case PageEvent:
		// Not when it is about to be frozen: a write that is under way holds up
		// other tabs, and costs the page its place in the back/forward cache.
		if in == Vanished && k.d.group.runs() {
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
			_ = d.stored(d.ctx, func(ctx context.Context, s Storage) error {
				values, err := s.Load(ctx, d.outboxPrefix())
				d.box.put(outbox.Learn{Items: items(values)})
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

func (k *keeper) step(in any) {
	d := k.d
	d.mu.Lock()
	effects := slices.Clone(d.outbox.Step(time.Now(), in))
	d.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case outbox.Save:
			k.jobs.put(func() { _ = d.keep(d.ctx, e.Item) })
		case outbox.Forget:
			k.jobs.put(func() {
				remove := func(ctx context.Context, s Storage) error { return s.Delete(ctx, d.outboxPrefix()+e.ID) }
				_ = d.stored(d.ctx, remove)
				if d.o.Storage != nil { // deleting may work where saving did not
					ctx, done := context.WithTimeout(d.ctx, storedWithin)
					_ = remove(ctx, d.o.Storage)
					done()
				}
			})
		case outbox.Tell:
			k.tell(e.Item)
		case outbox.Send:
			k.jobs.put(func() { _ = d.keep(d.ctx, e.Item) })
			k.jobs.put(func() { d.attempts.Go(func() { d.box.put(d.send(e)) }) })
		case outbox.Alarm:
			k.timer.at(e.At)
		}
	}
	d.changed()
}

// EntityMoved is the code of an item that was refused because its thing has
// changed since.
const EntityMoved = "entity_moved"

// sendWithin bounds one attempt of an item.
const sendWithin = 30 * time.Second

// send carries an item to the broker.
func (d *driver) send(s outbox.Send) outbox.Answered {
	ctx, cancel := context.WithTimeout(d.ctx, sendWithin)
	defer cancel()
	a := outbox.Answered{ID: s.Item.ID}
	var refused *Error
	if s.Look {
		at, err := d.find(ctx, s.Item)
		if err != nil && (!errors.As(err, &refused) || refused.Status >= 500) || at != (wire.Cursor{}) {
			a.Cursor = at
			return a
		}
	}
	e := event.Event{ID: s.Item.ID, Type: s.Item.Type, Data: s.Item.Data, Time: s.Item.Written}
	receipt, err := d.API.publish(ctx, e, s.Item.Based, d.o.Grant)
	switch {
	case err == nil:
		a.Cursor = receipt.Cursor
	case errors.As(err, &refused):
		a.Status, a.Code, a.Problem, a.RetryAfter = refused.Status, refused.Code, refused.Sentence(), refused.RetryAfter
		if refused.Code == EntityMoved {
			a.Problem = "It has changed since you wrote this. Look at it, then send yours all the same, or discard it. (" + EntityMoved + ")"
		}
	}
	return a
}

// find looks for an item in the history of its subject; the zero cursor says
// that it is not there.
func (d *driver) find(ctx context.Context, item outbox.Item) (wire.Cursor, error) {
	f := filter.Filter{Types: []event.Type{item.Type}, Subjects: []string{item.Subject}}
	next := "oldest"
	if item.After != (wire.Cursor{}) {
		next = item.After.String()
	}
	for {
		p, err := d.page(ctx, path("/api/events", f, url.Values{"after": {next}}))
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
