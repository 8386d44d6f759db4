package push

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/zone"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
)

// preferences is where the store has them.
const preferencePrefix = "push-preferences."

// A PreferenceStore holds the users' notification preferences. It works without a
// Service, because the app's toasts follow the same preferences. It is safe for
// concurrent use.
type PreferenceStore struct {
	store   eventlog.Store
	storeMu sync.Mutex // held while preferences change in the store and in memory

	mu      sync.Mutex                    // guards byActor
	byActor map[string]notify.Preferences // by hash of the actor
}

// OpenPreferenceStore returns a PreferenceStore with the preferences of a log's store.
func OpenPreferenceStore(ctx context.Context, store eventlog.Store) (*PreferenceStore, error) {
	w := &PreferenceStore{store: store}
	return w, w.load(ctx)
}

// load replaces the preferences in memory by those of the store, which other brokers
// may have changed.
func (w *PreferenceStore) load(ctx context.Context) error {
	w.storeMu.Lock()
	defer w.storeMu.Unlock()
	names, err := w.store.Keys(ctx, preferencePrefix)
	if err != nil {
		return err
	}
	byActor := map[string]notify.Preferences{}
	for _, name := range names {
		var p notify.Preferences
		if err := readJSON(ctx, w.store, name, &p); err != nil {
			return err
		}
		byActor[strings.TrimPrefix(name, preferencePrefix)] = p
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byActor = byActor
	return nil
}

// Preferences returns the preferences of a user, or the defaults when the user has
// set none.
func (w *PreferenceStore) Preferences(g access.Grant) notify.Preferences {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, found := w.byActor[hash(g.Actor())]; found {
		return p
	}
	return notify.DefaultPreferences(g)
}

// SetPreferences stores the preferences of a user. The error may be an *event.Problem.
func (w *PreferenceStore) SetPreferences(ctx context.Context, g access.Grant, p notify.Preferences) error {
	if err := p.Check(); err != nil {
		return err
	}
	if p.Quiet != nil {
		if _, err := zone.Load(p.Quiet.Zone); err != nil {
			return event.Refuse("/quiet/zone", event.CodeFormat, "a time zone such as Europe/Berlin")
		}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	w.storeMu.Lock()
	defer w.storeMu.Unlock()
	if err := w.store.Put(ctx, preferencePrefix+hash(g.Actor()), raw, 0); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byActor[hash(g.Actor())] = p
	return nil
}
