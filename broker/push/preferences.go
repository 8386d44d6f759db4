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

// preferencePrefix begins the store's keys of preferences. The hash of the actor
// follows.
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
	s := &PreferenceStore{store: store}
	return s, s.load(ctx)
}

// load replaces the preferences in memory by those of the store, which other brokers
// may have changed.
func (s *PreferenceStore) load(ctx context.Context) error {
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	names, err := s.store.Keys(ctx, preferencePrefix)
	if err != nil {
		return err
	}
	byActor := map[string]notify.Preferences{}
	for _, name := range names {
		var p notify.Preferences
		if err := readJSON(ctx, s.store, name, &p); err != nil {
			return err
		}
		byActor[strings.TrimPrefix(name, preferencePrefix)] = p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byActor = byActor
	return nil
}

// Preferences returns the preferences of a user, or the defaults when the user has
// set none.
func (s *PreferenceStore) Preferences(g access.Grant) notify.Preferences {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, found := s.byActor[hash(g.Actor())]; found {
		return p
	}
	return notify.DefaultPreferences(g)
}

// SetPreferences stores the preferences of a user. The error may be an *event.Problem.
func (s *PreferenceStore) SetPreferences(ctx context.Context, g access.Grant, p notify.Preferences) error {
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
	s.storeMu.Lock()
	defer s.storeMu.Unlock()
	if err := s.store.Put(ctx, preferencePrefix+hash(g.Actor()), raw, 0); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byActor[hash(g.Actor())] = p
	return nil
}
