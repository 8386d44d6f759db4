// Package store holds the data that a connection has delivered: a bounded history of events, counts by
// type, and the state from which figures are computed.
//
// A [Store] is not safe for concurrent use. The client guards it with its lock.
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

// DefaultMax is the default number of events in the history.
const DefaultMax = 100

// A Received is an event with the time of its arrival.
type Received struct {
	event.Event
	Received time.Time
	Replayed bool // Replayed is true for an event from before its stream began. It makes no toast.
}

// A Store holds the data of one connection.
type Store struct {
	max    int
	events []Received // newest first
	counts map[event.Type]int
	total  int
	grant  string // the id of the grant under which all this was read; empty until it is known
	state  *projection.State
	meta   projection.Snapshot // the last snapshot, without its entities
	skew   time.Duration       // the broker's clock minus this device's
}

// New makes an empty store whose history keeps at most max events. 0 means DefaultMax.
func New(max int) *Store {
	if max == 0 {
		max = DefaultMax
	}
	return &Store{max: max, counts: map[event.Type]int{}}
}

// SetGrant sets the grant under which the following data is read. If it is not the last one, SetGrant
// clears the history, because the new grant may not allow it, and returns true.
func (s *Store) SetGrant(grant string) (emptied bool) {
	if emptied = s.grant != "" && s.grant != grant; emptied {
		s.Clear()
	}
	s.grant = grant
	return emptied
}

// Load replaces the state by a snapshot, and sets its grant. If the snapshot is of another log, as after
// the restore of a backup, Load clears the history, because its events are not in the new log.
func (s *Store) Load(snapshot projection.Snapshot, now time.Time) {
	s.SetGrant(snapshot.Grant)
	if s.state != nil && s.state.Cursor.Epoch != snapshot.Cursor.Epoch {
		s.Clear()
	}
	s.state = projection.NewStateFrom(snapshot.Cursor, snapshot.Entities)
	s.state.ClampTimes(snapshot.Time) // a stored snapshot of an older broker may have times of the far future
	s.meta, s.meta.Entities = snapshot, nil
	s.skew = snapshot.Time.Sub(now)
}

// Apply applies an event to the state. Before the first snapshot it does nothing.
func (s *Store) Apply(e event.Event, at wire.Cursor) {
	if s.state != nil {
		s.state.Apply(e, at)
	}
}

// Add adds an event to the history. isNew is false if the history has the event already.
func (s *Store) Add(e event.Event, now time.Time, replayed bool) (r Received, isNew bool) {
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

// Events returns the history, newest first. The slice does not change later.
func (s *Store) Events() []Received { return s.events }

// Counts returns the number of events of each type since New or Clear.
func (s *Store) Counts() map[event.Type]int { return maps.Clone(s.counts) }

// Total returns the number of events since New or Clear.
func (s *Store) Total() int { return s.total }

// Today returns the present day of the installation, by its time zone and the broker's clock. It
// returns "" before the first snapshot.
func (s *Store) Today(now time.Time) string {
	if s.state == nil {
		return ""
	}
	return s.meta.Installation.Zone.Day(now.Add(s.skew))
}

// Figures returns the figures that the grant may see, nil before the first snapshot.
func (s *Store) Figures(g access.Grant, now time.Time) map[string]projection.Figure {
	if s.state == nil {
		return nil
	}
	return projection.VisibleFigures(s.state, g, now.Add(s.skew), s.meta.Installation)
}

// Entities returns the present entities, nil before the first snapshot.
func (s *Store) Entities() []*projection.Entity {
	if s.state == nil {
		return nil
	}
	return s.state.Entities()
}

// Cursor returns the place in the log of the state, zero before the first snapshot.
func (s *Store) Cursor() (at wire.Cursor) {
	if s.state != nil {
		at = s.state.Cursor
	}
	return at
}

// Currency returns the installation's currency, "" before the first snapshot.
func (s *Store) Currency() string { return s.meta.Currency }

// A Saved is the content of a store that is kept over reloads.
type Saved struct {
	Snapshot projection.Snapshot `json:"snapshot"`
	Events   []savedEvent        `json:"events"` // newest first
}

type savedEvent struct {
	Event    event.Event `json:"event"`
	Received time.Time   `json:"received"`
}

// Export returns the content of the store; ok is false before the first snapshot. The result does not
// change later.
func (s *Store) Export(now time.Time) (saved Saved, ok bool) {
	if s.state == nil {
		return saved, false
	}
	saved.Snapshot = s.meta
	saved.Snapshot.Cursor = s.state.Cursor
	saved.Snapshot.Entities = s.state.Entities()
	saved.Snapshot.Time = now.Add(s.skew)
	for _, r := range s.events {
		saved.Events = append(saved.Events, savedEvent{r.Event, r.Received})
	}
	return saved, true
}

// Restore loads the content of an earlier store. Until the next Load, the figures are those of that time.
func (s *Store) Restore(saved Saved, now time.Time) {
	s.Load(saved.Snapshot, now)
	s.events = nil
	for _, e := range saved.Events[:min(len(saved.Events), s.max)] {
		s.events = append(s.events, Received{e.Event, e.Received, true})
	}
}

// Clear clears the history and the counts. The state stays.
func (s *Store) Clear() {
	s.events, s.counts, s.total = nil, map[event.Type]int{}, 0
}
