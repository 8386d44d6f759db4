package loop

import (
	"context"
	"encoding/json"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// saveInterval is the least time between two writes of the state.
const saveInterval = 20 * time.Second

// A savedState is the value of StateKey.
type savedState struct {
	User   string      `json:"user"`
	Grant  string      `json:"grant"`
	At     time.Time   `json:"at"`     // the time at which the state was true
	Cursor wire.Cursor `json:"cursor"` // the end of the history
	store.Saved
}

// parseSavedState reads a saved state. It returns nil if the state is for another user or for other rights, or in the
// format of another build. The outbox of the same user stays then, because the broker judges each item.
func (d *driver) parseSavedState(raw []byte) *savedState {
	var r savedState
	if json.Unmarshal(raw, &r) != nil || r.User != d.cfg.Grant.User {
		return nil
	}
	if r.Grant != d.cfg.Grant.ID() || r.Snapshot.Grant != r.Grant {
		return nil
	}
	return &r
}

// restore loads what the storage has for this user, and deletes what it has for others.
func (d *driver) restore() {
	var values map[string][]byte
	_ = d.withStorage(d.ctx, func(ctx context.Context, _ port.Storage) (err error) { // The loop notices the end of ctx.
		values, err = d.loadOwn(ctx)
		return err
	})
	now := time.Now()
	if values != nil {
		lost := d.lostItems(values)
		d.mu.Lock()
		d.state.Lost = lost
		d.mu.Unlock()
		d.writeNote(0)
	}
	if r := d.parseSavedState(values[StateKey]); d.cfg.Snapshot && r != nil {
		d.mu.Lock()
		d.state.Store.Restore(r.Saved, now)
		d.state.AsOf, d.keeper.restoredEnd = r.At, r.Cursor
		d.state.Machine.SetHistoryEnd(r.Cursor)
		d.mu.Unlock()
	}
	d.keeper.step(outbox.Learn{Items: itemsOf(values)})
	d.changed()
}

// saveState saves the state in the tab that leads, at most every saveInterval unless this may be the last chance.
//
// A page that is frozen, or is about to be, writes nothing. An unfinished write would delay other tabs, and would keep
// the page out of the back/forward cache. The other tabs may also have deleted everything by now.
func (k *keeper) saveState(now time.Time, isLastChance bool) {
	if k.d.group != nil && k.d.group.isSuspended {
		return
	}
	if !k.dirty || !isLastChance && now.Sub(k.savedAt) < saveInterval {
		return
	}
	r := k.newSavedState(now)
	if r == nil {
		return
	}
	k.dirty, k.savedAt = false, now
	d := k.d
	k.jobs.put(func() {
		raw := encode(r)
		_ = d.withStorage(d.ctx, func(ctx context.Context, s port.Storage) error { return s.Save(ctx, StateKey, raw) })
	})
}

// saveFirst saves the state as soon as it is complete. So a user can open the app once, go offline, and find the
// state.
func (k *keeper) saveFirst(now time.Time) {
	if k.savedAt.IsZero() && k.d.state.Machine.HasCaughtUp() {
		k.saveState(now, true)
	}
}

// newSavedState returns the state that this tab has to save. It returns nil if another tab saves it, if there is no
// state, or if the rights have changed since or the broker has denied the client.
func (k *keeper) newSavedState(now time.Time) *savedState {
	d := k.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Storage == nil || d.state.Member.Role() == tabs.Follower || d.state.Member.OtherLeads() {
		return nil
	}
	saved, ok := d.state.Store.Export(now)
	if !ok || saved.Snapshot.Grant != d.cfg.Grant.ID() || d.state.Machine.Status().State == conn.Denied {
		return nil
	}
	return &savedState{
		User:   d.cfg.Grant.User,
		Grant:  d.cfg.Grant.ID(),
		At:     now,
		Cursor: d.state.Machine.Cursor(),
		Saved:  saved,
	}
}
