// Package store keeps what a connection brought: the last event, a bounded
// history, counts by type, and the projection that the figures come from. It
// is not safe for concurrent use; the client guards it.
package store

import (
	"maps"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// DefaultMax is the length of the history.
const DefaultMax = 100

// A Received is an event with when it came.
type Received struct {
	event.Event
	Received time.Time
	Replayed bool // it is older than the stream that brought it: no toast
}

// A Store is empty after New and after Clear.
type Store struct {
	max    int
	events []Received // newest first
	counts map[event.Type]int
	total  int
	grant  string // for whose eyes all this is; "" until that is known
	state  *projection.State
	meta   projection.Snapshot // without its entities
	skew   time.Duration       // of the broker's clock against ours
}

// New makes a store that keeps at most max events; 0 is DefaultMax.
func New(max int) *Store {
	if max == 0 {
		max = DefaultMax
	}
	return &Store{max: max, counts: map[event.Type]int{}}
}

// For says by which grant what follows was read. Another one than the last
// empties the history: it was for other eyes.
func (s *Store) For(grant string) (emptied bool) {
	if emptied = s.grant != "" && s.grant != grant; emptied {
		s.Clear()
	}
	s.grant = grant
	return emptied
}

// Load takes a snapshot in place of the state, and the history is for its grant.
// That of another log, as after a backup was restored, is emptied: it has not
// happened.
func (s *Store) Load(snapshot projection.Snapshot, now time.Time) {
	s.For(snapshot.Grant)
	if s.state != nil && s.state.Cursor.Epoch != snapshot.Cursor.Epoch {
		s.Clear()
	}
	s.state = projection.NewStateFrom(snapshot.Cursor, snapshot.Entities)
	s.state.ClampTimes(snapshot.Time) // one that was kept from an older broker may have times of the far future
	s.meta, s.meta.Entities = snapshot, nil
	s.skew = snapshot.Time.Sub(now)
}

// Apply folds an event into the state.
func (s *Store) Apply(e event.Event, at wire.Cursor) {
	if s.state != nil {
		s.state.Apply(e, at)
	}
}

// Add takes an event into the history. ok is false where it has it already.
func (s *Store) Add(e event.Event, now time.Time, replayed bool) (r Received, ok bool) {
	r = Received{e, now, replayed}
	if slices.ContainsFunc(s.events, func(old Received) bool { return old.Cursor == e.Cursor }) {
		return r, false
	}
	if len(s.events) == s.max {
		s.events = s.events[:s.max-1]
	}
	s.events = append([]Received{r}, s.events...)
	s.counts[e.Type]++
	s.total++
	return r, true
}

// Events is the history, newest first. The slice is not changed later.
func (s *Store) Events() []Received { return s.events }

// Counts is how many events of each type came since the start or Clear.
func (s *Store) Counts() map[event.Type]int { return maps.Clone(s.counts) }

// Total is how many events came.
func (s *Store) Total() int { return s.total }

// Today is the day of the installation, by its zone and the broker's clock, ""
// before the first snapshot.
func (s *Store) Today(now time.Time) string {
	if s.state == nil {
		return ""
	}
	return s.meta.Installation.Zone.Day(now.Add(s.skew))
}

// Figures are those that the grant may see, nil before the first snapshot.
func (s *Store) Figures(g access.Grant, now time.Time) map[string]projection.Figure {
	if s.state == nil {
		return nil
	}
	return projection.VisibleFigures(s.state, g, now.Add(s.skew), s.meta.Installation)
}

// Entities are the last states, nil before the first snapshot.
func (s *Store) Entities() []*projection.Entity {
	if s.state == nil {
		return nil
	}
	return s.state.Entities()
}

// Cursor is where the state is true, zero before the first snapshot.
func (s *Store) Cursor() (at wire.Cursor) {
	if s.state != nil {
		at = s.state.Cursor
	}
	return at
}

// Currency is the installation's.
func (s *Store) Currency() string { return s.meta.Currency }

// A Saved is what is kept of a store over reloads.
type Saved struct {
	Snapshot projection.Snapshot `json:"snapshot"`
	Events   []savedEvent        `json:"events"` // newest first
}

type savedEvent struct {
	Event    event.Event `json:"event"`
	Received time.Time   `json:"received"`
}

// Saved is the store as it can be kept; ok is false before the first snapshot.
// It shares no memory that changes.
func (s *Store) Saved(now time.Time) (saved Saved, ok bool) {
	if s.state == nil {
		return saved, false
	}
	saved.Snapshot = s.meta
	saved.Snapshot.Cursor, saved.Snapshot.Entities, saved.Snapshot.Time = s.state.Cursor, s.state.Entities(), now.Add(s.skew)
	for _, r := range s.events {
		saved.Events = append(saved.Events, savedEvent{r.Event, r.Received})
	}
	return saved, true
}

// Restore takes what was kept. Until the next Load the figures are those of
// then.
func (s *Store) Restore(saved Saved, now time.Time) {
	s.Load(saved.Snapshot, now)
	s.events = nil
	for _, e := range saved.Events[:min(len(saved.Events), s.max)] {
		s.events = append(s.events, Received{e.Event, e.Received, true})
	}
}

// Clear empties history and counts; the state stays.
func (s *Store) Clear() {
	s.events, s.counts, s.total = nil, map[event.Type]int{}, 0
}
