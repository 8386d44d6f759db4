package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// Keys in the storage. Others are the app's.
const (
	StateKey  = "state"   // the last snapshot and history; an app may delete it
	outboxKey = "outbox/" // and the user, and the item's id
	probeKey  = "probe"   // says whether a storage that failed works again
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
	storedWithin    = 3 * time.Second // a storage that does not answer must not hold up page and outbox
	retriedWithin   = time.Second     // even less so again and again
	rewrittenWithin = 10 * time.Second
	saveEvery       = 20 * time.Second
)

// stored does something with the storage. Where that fails, or takes too long,
// View says that what is not sent is unsaved; the outbox has it, and it is
// written when the storage works again. The error is ctx's.
func (l *Loop) stored(ctx context.Context, do func(context.Context, port.Storage) error) error {
	failed, patience := l.failing(), storedWithin
	if failed {
		patience = retriedWithin
	}
	within, done := context.WithTimeout(ctx, patience)
	defer done()
	err := do(within, l.storage)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		l.storageFailed()
	case failed:
		l.mailbox.put(storageWorks{})
	}
	return nil
}

// failing tells whether the storage failed, and has not yet taken what it
// missed.
func (l *Loop) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Unsaved
}

func (l *Loop) storageFailed() {
	l.mu.Lock()
	was := l.state.Unsaved
	l.state.Unsaved = true
	l.state.storageFailures++
	l.mu.Unlock()
	if !was {
		l.changed()
	}
}

// storageWorks says that a storage that had failed did something.
type storageWorks struct{}

// save keeps an item, before what is planned next. A storage that fails is left
// alone: rewrite has it.
func (k *keeper) save(item outbox.Item) {
	d := k.d
	k.jobs.put(func() {
		if !d.failing() {
			_ = d.keep(d.ctx, item)
		}
	})
}

// rewrite gives a storage that failed everything that it may have missed. When
// it has taken all of that, nothing is unsaved.
func (k *keeper) rewrite() {
	d := k.d
	if !d.failing() || d.group != nil && d.group.still {
		return
	}
	k.jobs.put(func() {
		d.mu.Lock()
		unsaved, failures, items := d.state.Unsaved, d.state.storageFailures, d.state.Outbox.All()
		d.mu.Unlock()
		if !unsaved { // an earlier one of these did it
			return
		}
		var state *record
		if d.connected() { // else its reader may have signed out
			state = k.state(time.Now())
		}
		if d.probe() != nil || d.writeAll(items, state) != nil {
			return
		}
		d.mu.Lock()
		d.state.Unsaved = d.state.storageFailures != failures // something else may have failed meanwhile
		d.mu.Unlock()
		d.changed()
	})
}

// probe tells whether the storage takes anything at all. Deleting may work where
// saving does not.
func (d *driver) probe() error {
	ctx, done := context.WithTimeout(d.ctx, retriedWithin)
	defer done()
	if err := d.storage.Save(ctx, probeKey, []byte{}); err != nil {
		return err
	}
	return d.storage.Delete(ctx, probeKey)
}

// writeAll writes what is to be kept, and takes in what the storage had when it
// did not answer.
func (d *driver) writeAll(known []outbox.Item, state *record) error {
	ctx, done := context.WithTimeout(d.ctx, rewrittenWithin)
	defer done()
	values, err := d.purged(ctx)
	if err != nil {
		return err
	}
	for _, item := range known {
		key := d.outboxPrefix() + item.ID
		if _, found := values[key]; item.State == outbox.Queued || item.State == outbox.Rejected {
			err = d.storage.Save(ctx, key, encode(item))
		} else if found {
			err = d.storage.Delete(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	d.mailbox.put(outbox.Learn{Items: items(values)})
	if state != nil {
		return d.storage.Save(ctx, StateKey, encode(state))
	}
	return nil
}

// verify checks that the storage still has the unsent items, because browsers and
// users empty it. It writes missing items again.
func (k *keeper) verify() {
	d := k.d
	if k.unsent == 0 || d.cfg.Storage == nil || d.failing() || !d.sends() {
		return
	}
	k.jobs.put(func() {
		_ = d.stored(d.ctx, func(ctx context.Context, s port.Storage) error {
			values, err := s.Load(ctx, d.outboxPrefix())
			if err != nil {
				return err
			}
			d.mu.Lock()
			unsent := unsentOf(d.state.Outbox.All())
			d.mu.Unlock()
			if len(values) < unsent {
				d.storageFailed()
				d.mailbox.put(storageWorks{})
			}
			return nil
		})
	})
}

// noteUnsent notes beside the storage how many items it should have.
func (d *driver) noteUnsent(n int) {
	if s, can := d.storage.(port.Noter); can {
		s.Note(fmt.Sprintf("%d %s", n, url.PathEscape(d.cfg.Grant.User)))
	}
}

// missed returns the number of items that were unsent when the storage of this user
// was emptied, or 0 when it was not emptied.
func (d *driver) missed(values map[string][]byte) (n int) {
	s, can := d.storage.(port.Noter)
	if !can || values[StateKey] != nil || len(items(values)) > 0 {
		return 0
	}
	var user string
	if _, err := fmt.Sscanf(s.Noted(), "%d %s", &n, &user); err != nil || user != url.PathEscape(d.cfg.Grant.User) {
		return 0
	}
	return n
}

func (l *Loop) outboxPrefix() string { return outboxKey + url.PathEscape(l.cfg.Grant.User) + "/" }

// keep saves an item.
func (l *Loop) keep(ctx context.Context, item outbox.Item) error {
	raw := encode(item)
	return l.stored(ctx, func(ctx context.Context, s port.Storage) error { return s.Save(ctx, l.outboxPrefix()+item.ID, raw) })
}

// restore takes what was kept for this user, and drops what was for another.
func (d *driver) restore() {
	var values map[string][]byte
	_ = d.stored(d.ctx, func(ctx context.Context, s port.Storage) (err error) { // the loop sees that ctx has ended
		values, err = d.purged(ctx)
		return err
	})
	now := time.Now()
	if values != nil {
		lost := d.missed(values)
		d.mu.Lock()
		d.state.Lost = lost
		d.mu.Unlock()
		d.noteUnsent(0)
	}
	if r := d.recordOf(values[StateKey]); d.cfg.Snapshot && r != nil {
		d.mu.Lock()
		d.state.Store.Restore(r.Saved, now)
		d.state.AsOf, d.keeper.kept = r.At, r.Cursor
		d.state.Machine.SetHistoryEnd(r.Cursor)
		d.mu.Unlock()
	}
	d.keeper.step(outbox.Learn{Items: items(values)})
	d.changed()
}

// purged is what the storage has, less what was for another user, or for other
// eyes: that is deleted.
func (d *driver) purged(ctx context.Context) (values map[string][]byte, err error) {
	if values, err = d.storage.Load(ctx, ""); err != nil {
		return nil, err
	}
	for key, raw := range values {
		others := strings.HasPrefix(key, outboxKey) && !strings.HasPrefix(key, d.outboxPrefix())
		if others || key == StateKey && d.recordOf(raw) == nil {
			delete(values, key)
			err = cmp.Or(d.storage.Delete(ctx, key), err)
		}
	}
	return values, err
}

// recordOf reads the kept state, nil where it is for other eyes, or of a version
// that wrote otherwise. Of the same user the outbox stays: the broker judges it.
func (d *driver) recordOf(raw []byte) *record {
	var r record
	if json.Unmarshal(raw, &r) != nil || r.User != d.cfg.Grant.User || r.Grant != d.cfg.Grant.ID() || r.Snapshot.Grant != r.Grant {
		return nil
	}
	return &r
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
// unless it is the last chance. A page that is frozen, or is about to be, writes
// nothing: a write that is under way holds up other tabs and costs the page its
// place in the back/forward cache, and by now they may have purged everything.
func (k *keeper) saveState(now time.Time, last bool) {
	if k.d.group != nil && k.d.group.still {
		return
	}
	if !k.dirty || !last && now.Sub(k.savedAt) < saveEvery {
		return
	}
	r := k.state(now)
	if r == nil {
		return
	}
	k.dirty, k.savedAt = false, now
	d := k.d
	k.jobs.put(func() {
		raw := encode(r)
		_ = d.stored(d.ctx, func(ctx context.Context, s port.Storage) error { return s.Save(ctx, StateKey, raw) })
	})
}

// state is what this tab has to keep of the state; nil where it is not for it to
// do.
func (k *keeper) state(now time.Time) *record {
	d := k.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Storage == nil || d.state.Member.Role() == tabs.Follower || d.state.Member.OtherLeads() {
		return nil
	}
	saved, ok := d.state.Store.Saved(now)
	// What the store holds may be for other eyes by now, or for nobody's.
	if !ok || saved.Snapshot.Grant != d.cfg.Grant.ID() || d.state.Machine.Status().State == conn.Denied {
		return nil
	}
	return &record{User: d.cfg.Grant.User, Grant: d.cfg.Grant.ID(), At: now, Cursor: d.state.Machine.Cursor(), Saved: saved}
}

// saveFirst keeps the state as soon as it is whole: who opens the app once and
// then goes offline finds it.
func (k *keeper) saveFirst(now time.Time) {
	if k.savedAt.IsZero() && k.d.state.Machine.HasCaughtUp() {
		k.saveState(now, true)
	}
}
