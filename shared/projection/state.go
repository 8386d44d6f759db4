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

// An Entity is the last state of one thing, such as a rental. The fold never changes an
// Entity in place: it replaces it.
type Entity struct {
	// Key is the [event.EntityKey] of the entity's events.
	Key string `json:"key"`
	// Type is the type of the entity's events.
	Type event.Type `json:"type"`
	// Fields has the latest value of each field.
	Fields event.Object `json:"fields"`
	// Seq is the sequence number of the last event that changed the entity.
	Seq uint64 `json:"seq"`
	// Time is the time of that event.
	Time time.Time `json:"time"`
	// Closed is the time at which the entity was closed or will be closed. No more events
	// are expected after it. It is zero for an open entity.
	Closed time.Time `json:"closed,omitzero"`

	// Earned is the income of a completed payment. Nil means none.
	Earned *Booking `json:"earned,omitempty"`
	// Refunded is the amount of a payment that was paid back. It lowers the income of its
	// own day, not of the day on which the payment came in. Nil means none.
	Refunded *Booking `json:"refunded,omitempty"`
	// Balance is the amount that is still due for an overdue rental after a payment that is
	// later than the entity's amount. Only readers that may see balances have it. Nil means
	// that no such payment is known.
	Balance *Booking `json:"balance,omitempty"`
}

// A Booking is an amount on a day.
type Booking struct {
	// Amount is never negative, also in a refund.
	Amount event.Money `json:"amount"`
	// Currency is "" for the installation's currency.
	Currency string `json:"currency,omitempty"`
	// At is the time whose day the amount counts on.
	At time.Time `json:"at"`
}

// A State has the last state of every entity. It is not safe for concurrent use; the
// entities that it returns are.
type State struct {
	// Cursor is the last event that was applied.
	Cursor   wire.Cursor
	entities map[string]*Entity // by key
}

// NewState returns the empty state before the first event of the log with the epoch.
func NewState(epoch string) *State { return NewStateFrom(wire.Cursor{Epoch: epoch}, nil) }

// NewStateFrom returns a state with the entities of a snapshot at a cursor.
func NewStateFrom(at wire.Cursor, entities []*Entity) *State {
	s := &State{at, make(map[string]*Entity, len(entities))}
	for _, e := range entities {
		s.entities[e.Key] = e
	}
	return s
}

// Get returns the entity with the key, or nil when there is none.
func (s *State) Get(key string) *Entity { return s.entities[key] }

// Entities returns all entities, in no particular order.
func (s *State) Entities() []*Entity { return slices.Collect(maps.Values(s.entities)) }

// Apply folds one event into the state. The caller applies events in the order of the log.
// Apply ignores an event at or before the state's cursor, so that applying it again is
// harmless.
func (s *State) Apply(e event.Event, at wire.Cursor) {
	if at.Seq <= s.Cursor.Seq {
		return
	}
	s.Cursor = at
	e.Cursor = at.String() // identifies a payment without an id
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
		s.changeOverdue(e, func(o *Entity) { o.Closed = e.Time })
	}
	if balance, ok := e.Data.Money("balance_due"); ok && e.Type == event.TypePaymentReceived {
		left := &Booking{balance, e.Data.Text("currency"), e.Time}
		s.changeOverdue(e, func(o *Entity) { o.Balance = left })
	}
}

// fold returns the entity after e, or nil when e does not change it. before is nil for a
// new entity.
func fold(before *Entity, e event.Event, key string, seq uint64) *Entity {
	data := e.Data
	if e.Type == event.TypeEquipmentLocationUpdated {
		if !data.Has("recorded_at") {
			data = data.With("recorded_at", timeJSON(e.Time))
		}
		if before != nil && timeOf(data, "recorded_at").Before(timeOf(before.Fields, "recorded_at")) {
			return nil // a late report of an earlier place only belongs to the history
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
		bookPayment(after, e)
	}
	after.Closed = closedAt(after)
	for _, b := range []*Booking{after.Earned, after.Refunded} {
		if b != nil && b.At.After(after.Closed) && !after.Closed.IsZero() {
			after.Closed = b.At // the state keeps the payment until after the day that it counts on
		}
	}
	return after
}

// bookPayment notes the income or the refund of the event e in the payment p. The booking
// counts on the day of received_at, or on the day of the event without that field.
func bookPayment(p *Entity, e event.Event) {
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

// endsOverdue reports whether a rental with the status is no longer overdue.
func endsOverdue(status string) bool {
	return status == "returned" || status == "completed" || status == "cancelled"
}

// changeOverdue changes a copy of each open overdue entity of the rental that e names, and
// stores the copy.
func (s *State) changeOverdue(e event.Event, change func(o *Entity)) {
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

// closingStatuses are the statuses after which nothing more is expected of an entity.
var closingStatuses = map[event.Type][]string{
	event.TypeRentalStatusUpdated: {"completed", "cancelled"},
	event.TypePaymentReceived:     {"completed", "failed", "refunded"},
	event.TypeMaintenanceRequired: {"resolved"},
	event.TypeTimesheetUpdated:    {"approved", "paid", "rejected"},
	event.TypePayrollProcessed:    {"completed", "failed", "reversed"},
	event.TypeLeaveRequestUpdated: {"rejected", "cancelled"},
	event.TypeSyncProgress:        {"completed", "failed", "cancelled"},
}

// closedAt returns when an entity was closed, or will be. It is zero for an open entity.
// An overdue entity is closed by an event of its rental; see Apply.
func closedAt(e *Entity) time.Time {
	status := event.ValueOrDefault(e.Type, e.Fields, "status")
	if slices.Contains(closingStatuses[e.Type], status) {
		return e.Time
	}
	if endsByDate(e) {
		end, err := time.Parse(time.DateOnly, e.Fields.Text("end_date"))
		if next := end.AddDate(0, 0, 1); err == nil && next.Year() <= 9999 { // Go writes no later year as JSON
			return next
		}
	}
	return time.Time{}
}

// endsByDate reports whether a date of the entity closes it: that of an approved leave,
// which may be in the future.
func endsByDate(e *Entity) bool {
	return e.Type == event.TypeLeaveRequestUpdated && event.ValueOrDefault(e.Type, e.Fields, "status") == "approved"
}

// Prune removes each entity that has been closed for longer than ClosedRetention and whose
// last event has a sequence number of at most through. The caller passes the number of the
// last event that the log stored more than ClosedRetention ago, because a publisher may
// store old events late, and the state must not lose their entities meanwhile.
func (s *State) Prune(now time.Time, through uint64) {
	maps.DeleteFunc(s.entities, func(_ string, e *Entity) bool {
		return e.Seq <= through && !e.Closed.IsZero() && now.Sub(e.Closed) > ClosedRetention
	})
}

// ClampTimes replaces every past time of the state that is more than [event.MaxAhead]
// after now by now. Older brokers accepted events with such times, and the next events
// must outrank them. A zero now changes nothing.
func (s *State) ClampTimes(now time.Time) {
	for key, e := range s.entities {
		if clamped := e.clamped(now); clamped != nil {
			s.entities[key] = clamped
		}
	}
}

// clamped returns a copy of the entity with clamped times, or nil when no time changes.
func (e *Entity) clamped(now time.Time) *Entity {
	changed := false
	clamp := func(t time.Time) time.Time {
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
		return &Booking{b.Amount, b.Currency, clamp(b.At)}
	}
	out := *e
	out.Time = clamp(e.Time)
	out.Earned, out.Refunded, out.Balance = booking(e.Earned), booking(e.Refunded), booking(e.Balance)
	if !endsByDate(e) {
		out.Closed = clamp(e.Closed)
	}
	out.Fields = event.Event{Type: e.Type, Data: e.Fields}.ClampTimes(now).Data
	if !changed && slices.EqualFunc(out.Fields, e.Fields, sameField) {
		return nil
	}
	return &out
}

func sameField(a, b event.Field) bool { return a.Name == b.Name && string(a.Raw) == string(b.Raw) }

// Redact returns a copy of the entity with the fields that the grant may see, or nil when
// the grant may not see it.
func (e *Entity) Redact(g access.Grant) *Entity {
	as := event.Event{Type: e.Type, Data: e.Fields}
	redacted, ok := access.Redact(g, as)
	if !ok || event.EntityKey(redacted) == "" {
		return nil
	}
	out := *e
	out.Fields = redacted.Data
	if !access.CanSeeField(g, event.TypePaymentReceived, "balance_due") {
		out.Balance = nil
	}
	return &out
}

// checkpointVersion must change when the fold changes. A State does not read a checkpoint of
// another version, so that the broker folds its log anew.
const checkpointVersion = 1

// A checkpoint is the JSON of a State.
type checkpoint struct {
	Version  int         `json:"version"`
	Cursor   wire.Cursor `json:"cursor"`
	Entities []*Entity   `json:"entities"`
}

// MarshalJSON writes the state as a checkpoint.
func (s *State) MarshalJSON() ([]byte, error) {
	return json.Marshal(checkpoint{checkpointVersion, s.Cursor, s.Entities()})
}

// UnmarshalJSON reads a checkpoint. It returns an error for one of another version.
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

// timeOf returns a field as a time, or the zero time when the field is absent.
func timeOf(o event.Object, name string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, o.Text(name))
	return t
}

// timeJSON returns a time as JSON.
func timeJSON(t time.Time) json.RawMessage {
	return json.RawMessage(`"` + t.UTC().Format(time.RFC3339Nano) + `"`)
}
