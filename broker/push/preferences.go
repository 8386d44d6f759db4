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
const preferences = "push-preferences."

// PreferenceStore are what people want to be told of. They stand by themselves where
// nothing is pushed: the app's toasts follow them too. It is safe for
// concurrent use.
type PreferenceStore struct {
	store eventlog.Store
	write sync.Mutex // held over a change of the store and of what follows from it

	mu sync.Mutex                    // guards of
	of map[string]notify.Preferences // by hash of the actor
}

// OpenPreferenceStore reads them from the store.
func OpenPreferenceStore(ctx context.Context, store eventlog.Store) (*PreferenceStore, error) {
	w := &PreferenceStore{store: store}
	return w, w.load(ctx)
}

// load takes what the store has, which other brokers may have changed.
func (w *PreferenceStore) load(ctx context.Context) error {
	w.write.Lock()
	defer w.write.Unlock()
	names, err := w.store.Keys(ctx, preferences)
	if err != nil {
		return err
	}
	of := map[string]notify.Preferences{}
	for _, name := range names {
		var p notify.Preferences
		if err := read(ctx, w.store, name, &p); err != nil {
			return err
		}
		of[strings.TrimPrefix(name, preferences)] = p
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of = of
	return nil
}

// Preferences are a user's, or the default.
func (w *PreferenceStore) Preferences(g access.Grant) notify.Preferences {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, said := w.of[hash(g.Actor())]; said {
		return p
	}
	return notify.DefaultPreferences(g)
}

// SetPreferences keeps what a user wants. The error may be an *event.Problem.
func (w *PreferenceStore) SetPreferences(ctx context.Context, g access.Grant, p notify.Preferences) error {
	if err := p.Check(); err != nil {
		return err
	}
	if p.Quiet != nil {
		if _, err := zone.Load(p.Quiet.Zone); err != nil {
			return event.Refuse("/quiet/zone", "format", "a time zone such as Europe/Berlin")
		}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	w.write.Lock()
	defer w.write.Unlock()
	if err := w.store.Put(ctx, preferences+hash(g.Actor()), raw, 0); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[hash(g.Actor())] = p
	return nil
}
