package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// The keys of the client in the storage. All other keys are the app's.
const (
	// StateKey is the key of the last snapshot and history. An app may delete it.
	StateKey = "state"

	// outboxKey begins the key of an item. The user and the item's id follow.
	outboxKey = "outbox/"

	// probeKey is the key of a value that shows whether a storage which failed works again.
	probeKey = "probe"
)

const (
	// storageTimeout bounds a use of the storage, because a storage that does not answer must not hold up page and
	// outbox.
	storageTimeout = 3 * time.Second

	// failedStorageTimeout is storageTimeout for a storage that has failed before.
	failedStorageTimeout = time.Second

	// rewriteTimeout bounds the writing of everything.
	rewriteTimeout = 10 * time.Second
)

// withStorage calls use with the storage. If use fails or takes too long, the state says that unsent items are
// unsaved. The outbox still has them, and rewriteStorage writes them when the storage works again. The error is
// ctx's.
func (l *Loop) withStorage(ctx context.Context, use func(context.Context, port.Storage) error) error {
	hasFailed, timeout := l.isUnsaved(), storageTimeout
	if hasFailed {
		timeout = failedStorageTimeout
	}
	bounded, done := context.WithTimeout(ctx, timeout)
	defer done()
	err := use(bounded, l.storage)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		l.setUnsaved()
	case hasFailed:
		l.mailbox.put(storageRecovered{})
	}
	return nil
}

// isUnsaved reports whether the storage has failed, and has not yet stored what it missed.
func (l *Loop) isUnsaved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Unsaved
}

// setUnsaved records that the storage has failed.
func (l *Loop) setUnsaved() {
	l.mu.Lock()
	wasUnsaved := l.state.Unsaved
	l.state.Unsaved = true
	l.state.storageFailures++
	l.mu.Unlock()
	if !wasUnsaved {
		l.changed()
	}
}

// outboxPrefix begins the keys of this user's items.
func (l *Loop) outboxPrefix() string { return outboxKey + url.PathEscape(l.cfg.Grant.User) + "/" }

// saveItem writes an item to the storage. The error is ctx's.
func (l *Loop) saveItem(ctx context.Context, item outbox.Item) error {
	raw := encode(item)
	return l.withStorage(ctx, func(ctx context.Context, s port.Storage) error {
		return s.Save(ctx, l.outboxPrefix()+item.ID, raw)
	})
}

// queueSave plans the job that writes an item to the storage. The job does nothing while the storage fails, because
// rewriteStorage will write the item.
func (k *keeper) queueSave(item outbox.Item) {
	d := k.d
	k.jobs.put(func() {
		if !d.isUnsaved() {
			_ = d.saveItem(d.ctx, item)
		}
	})
}

// rewriteStorage writes everything that a storage which has failed may have missed. If the storage accepts all of it,
// nothing is unsaved any more.
func (k *keeper) rewriteStorage() {
	d := k.d
	if !d.isUnsaved() || d.group != nil && d.group.isSuspended {
		return
	}
	k.jobs.put(func() {
		d.mu.Lock()
		unsaved, failures, items := d.state.Unsaved, d.state.storageFailures, d.state.Outbox.All()
		d.mu.Unlock()
		if !unsaved { // An earlier job of this kind did it.
			return
		}
		var saved *savedState
		if d.isConnected() { // Otherwise the user may have signed out.
			saved = k.newSavedState(time.Now())
		}
		if d.probeStorage() != nil || d.writeAll(items, saved) != nil {
			return
		}
		d.mu.Lock()
		d.state.Unsaved = d.state.storageFailures != failures // Something else may have failed meanwhile.
		d.mu.Unlock()
		d.changed()
	})
}

// probeStorage returns nil if the storage can save a value. Deleting may work when saving does not.
func (d *driver) probeStorage() error {
	ctx, done := context.WithTimeout(d.ctx, failedStorageTimeout)
	defer done()
	if err := d.storage.Save(ctx, probeKey, []byte{}); err != nil {
		return err
	}
	return d.storage.Delete(ctx, probeKey)
}

// writeAll writes the unsent items, and the state unless it is nil. It also makes the outbox learn the items that the
// storage had while it did not answer.
func (d *driver) writeAll(items []outbox.Item, state *savedState) error {
	ctx, done := context.WithTimeout(d.ctx, rewriteTimeout)
	defer done()
	values, err := d.loadOwn(ctx)
	if err != nil {
		return err
	}
	for _, item := range items {
		key := d.outboxPrefix() + item.ID
		if _, isStored := values[key]; isUnsent(item) {
			err = d.storage.Save(ctx, key, encode(item))
		} else if isStored {
			err = d.storage.Delete(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	d.mailbox.put(outboxMessage{outbox.Learn{Items: itemsOf(values)}})
	if state != nil {
		return d.storage.Save(ctx, StateKey, encode(state))
	}
	return nil
}

// verifyStorage checks that the storage still has the unsent items, because browsers and users empty it. If items are
// missing, they are written again.
func (k *keeper) verifyStorage() {
	d := k.d
	if k.unsent == 0 || d.cfg.Storage == nil || d.isUnsaved() || !d.shouldSend() {
		return
	}
	k.jobs.put(func() {
		_ = d.withStorage(d.ctx, func(ctx context.Context, s port.Storage) error {
			values, err := s.Load(ctx, d.outboxPrefix())
			if err != nil {
				return err
			}
			d.mu.Lock()
			unsent := countUnsent(d.state.Outbox.All())
			d.mu.Unlock()
			if len(values) < unsent {
				d.setUnsaved()
				d.mailbox.put(storageRecovered{})
			}
			return nil
		})
	})
}

// writeNote notes beside the storage how many unsent items it should have, and of which user.
func (d *driver) writeNote(unsent int) {
	if s, can := d.storage.(port.Noter); can {
		s.Note(fmt.Sprintf("%d %s", unsent, url.PathEscape(d.cfg.Grant.User)))
	}
}

// lostItems returns the number of items that were unsent when the storage of this user was emptied, or 0 if it was not
// emptied. values is what the storage has.
func (d *driver) lostItems(values map[string][]byte) (n int) {
	s, can := d.storage.(port.Noter)
	if !can || values[StateKey] != nil || len(itemsOf(values)) > 0 {
		return 0
	}
	var user string
	if _, err := fmt.Sscanf(s.Noted(), "%d %s", &n, &user); err != nil || user != url.PathEscape(d.cfg.Grant.User) {
		return 0
	}
	return n
}

// loadOwn returns the values of the storage. It deletes, and leaves out, those that were for another user or for other
// rights.
func (d *driver) loadOwn(ctx context.Context) (values map[string][]byte, err error) {
	if values, err = d.storage.Load(ctx, ""); err != nil {
		return nil, err
	}
	for key, raw := range values {
		isForeignItem := strings.HasPrefix(key, outboxKey) && !strings.HasPrefix(key, d.outboxPrefix())
		if isForeignItem || key == StateKey && d.parseSavedState(raw) == nil {
			delete(values, key)
			err = cmp.Or(d.storage.Delete(ctx, key), err)
		}
	}
	return values, err
}

// itemsOf returns the items of the outbox among the values of a storage.
func itemsOf(values map[string][]byte) (items []outbox.Item) {
	for key, raw := range values {
		var item outbox.Item
		if strings.HasPrefix(key, outboxKey) && json.Unmarshal(raw, &item) == nil && item.ID != "" {
			items = append(items, item)
		}
	}
	return items
}
