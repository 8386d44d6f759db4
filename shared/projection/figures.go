package projection

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Value is one figure: a count, or amounts by currency where Money is set.
type Value struct {
	Count int
	Money map[string]event.Money
}

// String is the value as plain text: 3, or "EUR 1500" and further
// currencies, comma separated. No income is 0.
func (v Value) String() string {
	if len(v.Money) == 0 {
		return strconv.Itoa(v.Count)
	}
	var parts []string
	for _, currency := range slices.Sorted(maps.Keys(v.Money)) {
		parts = append(parts, strings.TrimSpace(currency+" "+v.Money[currency].String()))
	}
	return strings.Join(parts, ", ")
}

// MarshalJSON writes a number, or an object of numbers by currency.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.Money != nil {
		return json.Marshal(v.Money)
	}
	return json.Marshal(v.Count)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(b []byte) error {
	*v = Value{}
	if strings.HasPrefix(string(b), "{") {
		return json.Unmarshal(b, &v.Money)
	}
	return json.Unmarshal(b, &v.Count)
}

// A Zone is the installation's time zone around now: the browser carries no
// zone data. Offsets are seconds east of UTC: Offset from Since to Until,
// Previous before and Next after that. A zero time is far away.
type Zone struct {
	Offset   int       `json:"offset"`
	Since    time.Time `json:"since,omitzero"`
	Previous int       `json:"previous"`
	Until    time.Time `json:"until,omitzero"`
	Next     int       `json:"next"`
}

// ZoneAt reads the zone of a location around now.
func ZoneAt(now time.Time, in *time.Location) Zone {
	local := now.In(in)
	_, offset := local.Zone()
	z := Zone{Offset: offset, Previous: offset, Next: offset}
	since, until := local.ZoneBounds()
	if !since.IsZero() {
		z.Since = since.UTC()
		_, z.Previous = since.Add(-time.Second).Zone()
	}
	if !until.IsZero() {
		z.Until = until.UTC()
		_, z.Next = until.Zone()
	}
	return z
}

// Day is the calendar day of t in the zone, as YYYY-MM-DD.
func (z Zone) Day(t time.Time) string {
	offset := z.Offset
	if !z.Until.IsZero() && !t.Before(z.Until) {
		offset = z.Next
	} else if t.Before(z.Since) {
		offset = z.Previous
	}
	return t.UTC().Add(time.Duration(offset) * time.Second).Format(time.DateOnly)
}

// Figures computes every figure from the state. An amount without a currency
// counts as the installation's.
func (s *State) Figures(now time.Time, zone Zone, currency string) map[string]Value {
	var active int
	down, overdue := map[string]bool{}, map[string]bool{}
	revenue := map[string]event.Money{}
	today := zone.Day(now)
	add := func(sign event.Money, b *Booking) {
		if b != nil && zone.Day(b.At) == today {
			revenue[cmp.Or(b.Currency, currency)] += sign * b.Amount
		}
	}
	for _, e := range s.entities {
		status := event.ValueOrDefault(e.Type, e.Fields, "status")
		switch e.Type {
		case event.TypeRentalStatusUpdated:
			if status == "active" || status == "off_rent" || status == "pending_return" {
				active++
			}
		case event.TypeRentalOverdue:
			if e.Closed.IsZero() {
				overdue[e.Fields.Text("rental_id")] = true
			}
		case event.TypeMaintenanceRequired:
			if status != "resolved" && e.Fields.Bool("blocks_rental") {
				down[equipmentOf(e.Fields)] = true
			}
		case event.TypePaymentReceived:
			add(1, e.Earned)
			add(-1, e.Refunded)
		}
	}
	return map[string]Value{
		"active_rentals":  {Count: active},
		"overdue_rentals": {Count: len(overdue)},
		"equipment_down":  {Count: len(down)},
		"revenue_today":   {Money: revenue},
	}
}

func equipmentOf(o event.Object) string {
	if o.Has("equipment_id") {
		return "#" + o.Text("equipment_id")
	}
	return o.Text("equipment_name")
}

// A Snapshot is the state as one reader may see it. A stream opened at its
// cursor continues it exactly.
type Snapshot struct {
	Cursor   wire.Cursor      `json:"cursor"`
	Grant    string           `json:"grant"` // the grant's ID
	Time     time.Time        `json:"time"`  // of the broker's clock
	Zone     Zone             `json:"zone"`
	Currency string           `json:"currency"`
	Figures  map[string]Value `json:"figures"`
	Entities []*Entity        `json:"entities"`
}

// NewSnapshot is what the grant may see of entities that were true at a cursor.
// Its figures are computed from what the reader sees, and only those that
// they may see are there.
func NewSnapshot(at wire.Cursor, entities []*Entity, g access.Grant, now time.Time, zone Zone, currency string) Snapshot {
	out := Snapshot{Cursor: at, Grant: g.ID(), Time: now.UTC(), Zone: zone, Currency: currency, Entities: []*Entity{}}
	for _, e := range entities {
		if seen := e.View(g); seen != nil {
			out.Entities = append(out.Entities, seen)
		}
	}
	slices.SortFunc(out.Entities, func(a, b *Entity) int { return strings.Compare(a.Key, b.Key) })
	out.Figures = VisibleFigures(From(at, out.Entities), g, now, zone, currency)
	return out
}

// VisibleFigures computes the figures that the grant may see.
func VisibleFigures(s *State, g access.Grant, now time.Time, zone Zone, currency string) map[string]Value {
	figures := s.Figures(now, zone, currency)
	maps.DeleteFunc(figures, func(name string, _ Value) bool { return !access.SeesFigure(g, name) })
	return figures
}
