package projection

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// ClosedRetention is how long a closed entity stays in the state.
const ClosedRetention = 7 * 24 * time.Hour

// An Entity is the last state of one thing. Entities are never changed once
// they are in a State; the fold replaces them.
type Entity struct {
	Key    string       `json:"key"`
	Type   event.Type   `json:"type"`
	Fields event.Object `json:"fields"` // the latest value of each field
	Seq    uint64       `json:"seq"`    // of the last event folded in
	Time   time.Time    `json:"time"`   // of that event
	Closed time.Time    `json:"closed,omitzero"`

	// Of a payment: what it brought in when it was completed, and what was
	// paid back. A refund lowers the income of its own day, not of the day on
	// which the payment came in.
	Earned   *Booking `json:"earned,omitempty"`
	Refunded *Booking `json:"refunded,omitempty"`
	// Of an overdue rental: what a payment left to pay, later than the amount
	// that the entity names. For those alone who see balances.
	Balance *Booking `json:"balance,omitempty"`
}

// A Booking is an amount on a day.
type Booking struct {
	Amount   event.Money `json:"amount"`
	Currency string      `json:"currency,omitempty"`
	At       time.Time   `json:"at"`
}

// A State is the last state of every entity, true at Cursor. It is not safe
// for concurrent use; Entities returns values that are.
type State struct {
	Cursor   wire.Cursor
	entities map[string]*Entity
}

// NewState returns the empty state before the first event of a log.
func NewState(epoch string) *State { return NewStateFrom(wire.Cursor{Epoch: epoch}, nil) }

// NewStateFrom returns a state that starts from a snapshot's entities.
func NewStateFrom(at wire.Cursor, entities []*Entity) *State {
	s := &State{at, make(map[string]*Entity, len(entities))}
	for _, e := range entities {
		s.entities[e.Key] = e
	}
	return s
}

// Get returns one entity, nil where there is none.
func (s *State) Get(key string) *Entity { return s.entities[key] }

// Entities returns all entities in no order.
func (s *State) Entities() []*Entity { return slices.Collect(maps.Values(s.entities)) }

// Apply folds in one event. Events come in the order of the log; one at or
// before the state's cursor is passed over, so that folding again is harmless.
func (s *State) Apply(e event.Event, at wire.Cursor) {
	if at.Seq <= s.Cursor.Seq {
		return
	}
	s.Cursor = at
	e.Cursor = at.String() // what identifies a payment without an id
	key := event.EntityKey(e)
	if key == "" {
		return
	}
	before := s.entities[key]
	if before != nil && !before.Closed.IsZero() && e.Time.Sub(before.Closed) > ClosedRetention {
		before = nil
	}
	after := fold(before, e, key, at.Seq)
	if after == nil {
		return
	}
	s.entities[key] = after
	if e.Type == event.TypeRentalStatusUpdated && endsOverdue(e.Data.Text("status")) {
		s.eachOverdue(e, func(o *Entity) { o.Closed = e.Time })
	}
	if balance, ok := e.Data.Money("balance_due"); ok && e.Type == event.TypePaymentReceived {
		left := &Booking{balance, e.Data.Text("currency"), e.Time}
		s.eachOverdue(e, func(o *Entity) { o.Balance = left })
	}
}

// fold is the entity after e, nil where e leaves it as it was.
func fold(before *Entity, e event.Event, key string, seq uint64) *Entity {
	data := e.Data
	if e.Type == event.TypeEquipmentLocationUpdated {
		if !data.Has("recorded_at") {
			data = data.With("recorded_at", timeJSON(e.Time))
		}
		if before != nil && timeOf(data, "recorded_at").Before(timeOf(before.Fields, "recorded_at")) {
			return nil // an old fix that came late belongs to the history alone
		}
	}
	after := &Entity{Key: key, Type: e.Type, Fields: data, Seq: seq, Time: e.Time}
	if before != nil {
		after.Fields = before.Fields
		for _, f := range data {
			after.Fields = after.Fields.With(f.Name, f.Raw)
		}
		after.Earned, after.Refunded = before.Earned, before.Refunded
		if !data.Has("amount_outstanding") {
			after.Balance = before.Balance
		}
	}
	if e.Type == event.TypePaymentReceived {
		book(after, e)
	}
	after.Closed = closedAt(after)
	for _, b := range []*Booking{after.Earned, after.Refunded} {
		if b != nil && b.At.After(after.Closed) && !after.Closed.IsZero() {
			after.Closed = b.At // it counts on that day
		}
	}
	return after
}

// book notes the income or refund that the event of a payment stands for, on
// the day that the event names, else on its own.
func book(p *Entity, e event.Event) {
	amount, _ := p.Fields.Money("amount")
	b := &Booking{amount, p.Fields.Text("currency"), e.Time}
	if e.Data.Has("received_at") {
		b.At = timeOf(e.Data, "received_at")
	}
	switch event.ValueOrDefault(p.Type, p.Fields, "status") {
	case "completed":
		p.Earned, p.Refunded = b, nil
	case "refunded":
		p.Refunded = b
	default:
		p.Earned, p.Refunded = nil, nil
	}
}

func endsOverdue(status string) bool {
	return status == "returned" || status == "completed" || status == "cancelled"
}

// eachOverdue changes what is overdue of the rental that e names.
func (s *State) eachOverdue(e event.Event, change func(o *Entity)) {
	reasons, _ := event.Spec(event.TypeRentalOverdue, "reason")
	for _, reason := range reasons.Enum {
		key := event.OverdueKey(e.Data.Text("rental_id"), reason)
		if o := s.entities[key]; o != nil && o.Closed.IsZero() {
			changed := *o
			change(&changed)
			s.entities[key] = &changed
		}
	}
}

// closing are the states of an entity after which nothing more is expected.
var closing = map[event.Type][]string{
	event.TypeRentalStatusUpdated: {"completed", "cancelled"},
	event.TypePaymentReceived:     {"completed", "failed", "refunded"},
	event.TypeMaintenanceRequired: {"resolved"},
	event.TypeTimesheetUpdated:    {"approved", "paid", "rejected"},
	event.TypePayrollProcessed:    {"completed", "failed", "reversed"},
	event.TypeLeaveRequestUpdated: {"rejected", "cancelled"},
	event.TypeSyncProgress:        {"completed", "failed", "cancelled"},
}

// closedAt is when nothing more is expected of an entity, zero where
// something is. An overdue rental is closed by the rental itself.
func closedAt(e *Entity) time.Time {
	status := event.ValueOrDefault(e.Type, e.Fields, "status")
	if slices.Contains(closing[e.Type], status) {
		return e.Time
	}
	if endsByDate(e) {
		end, err := time.Parse(time.DateOnly, e.Fields.Text("end_date"))
		if next := end.AddDate(0, 0, 1); err == nil && next.Year() <= 9999 { // JSON has no later year
			return next
		}
	}
	return time.Time{}
}

// endsByDate tells whether an entity is closed by a date that it names, which
// may be in the future: a leave that was approved.
func endsByDate(e *Entity) bool {
	return e.Type == event.TypeLeaveRequestUpdated && event.ValueOrDefault(e.Type, e.Fields, "status") == "approved"
}

// Prune forgets the entities that were closed for longer than ClosedRetention, if
// their last event is no newer than through: the caller names a place of the
// log that is as old. Events say themselves when they happened, and a history
// that is written late must not be forgotten while it comes in.
func (s *State) Prune(now time.Time, through uint64) {
	maps.DeleteFunc(s.entities, func(_ string, e *Entity) bool {
		return e.Seq <= through && !e.Closed.IsZero() && now.Sub(e.Closed) > ClosedRetention
	})
}

// ClampTimes brings every past time of the state back to the clock when it is more than
// event.MaxAhead after the clock. Older brokers accepted events with such times, and
// the next events must outrank them. The zero time bounds nothing.
func (s *State) ClampTimes(now time.Time) {
	for key, e := range s.entities {
		if clamped := e.clamped(now); clamped != nil {
			s.entities[key] = clamped
		}
	}
}

// clamped returns the clamped copy of an entity, or nil when no time changes.
func (e *Entity) clamped(now time.Time) *Entity {
	changed := false
	bound := func(t time.Time) time.Time {
		if now.IsZero() || !t.After(now.Add(event.MaxAhead)) {
			return t
		}
		changed = true
		return event.StampTime(now)
	}
	booking := func(b *Booking) *Booking {
		if b == nil {
			return nil
		}
		return &Booking{b.Amount, b.Currency, bound(b.At)}
	}
	out := *e
	out.Time, out.Earned, out.Refunded, out.Balance = bound(e.Time), booking(e.Earned), booking(e.Refunded),
		booking(e.Balance)
	if !endsByDate(e) {
		out.Closed = bound(e.Closed)
	}
	out.Fields = event.Event{Type: e.Type, Data: e.Fields}.ClampTimes(now).Data
	if !changed && slices.EqualFunc(out.Fields, e.Fields, sameField) {
		return nil
	}
	return &out
}

func sameField(a, b event.Field) bool { return a.Name == b.Name && string(a.Raw) == string(b.Raw) }

// Redact returns an entity as the grant may see it, nil where it may not.
func (e *Entity) Redact(g access.Grant) *Entity {
	as := event.Event{Type: e.Type, Data: e.Fields}
	seen, ok := access.Redact(g, as)
	if !ok || event.EntityKey(seen) == "" {
		return nil
	}
	out := *e
	out.Fields = seen.Data
	if !access.CanSeeField(g, event.TypePaymentReceived, "balance_due") {
		out.Balance = nil
	}
	return &out
}

// checkpointVersion changes when the fold does: a checkpoint of another
// version is folded anew from the log.
const checkpointVersion = 1

type checkpoint struct {
	Version  int         `json:"version"`
	Cursor   wire.Cursor `json:"cursor"`
	Entities []*Entity   `json:"entities"`
}

// MarshalJSON writes the state as a checkpoint.
func (s *State) MarshalJSON() ([]byte, error) {
	return json.Marshal(checkpoint{checkpointVersion, s.Cursor, s.Entities()})
}

// UnmarshalJSON reads a checkpoint. One of another version is an error.
func (s *State) UnmarshalJSON(b []byte) error {
	var c checkpoint
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("projection: checkpoint: %w", err)
	}
	if c.Version != checkpointVersion {
		return fmt.Errorf("projection: checkpoint of version %d, want %d", c.Version, checkpointVersion)
	}
	*s = *NewStateFrom(c.Cursor, c.Entities)
	return nil
}

func timeOf(o event.Object, name string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, o.Text(name))
	return t
}

func timeJSON(t time.Time) json.RawMessage {
	return json.RawMessage(`"` + t.UTC().Format(time.RFC3339Nano) + `"`)
}
