package projection

import (
	"cmp"
	"encoding/json"
	"math"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// An Installation holds the settings of an installation that its figures depend on.
type Installation struct {
	// Zone is the time zone whose day is "today".
	Zone Zone `json:"zone"`
	// Currency is the currency of amounts whose event names none.
	Currency string `json:"currency"`
	// Fleet is the number of machines for rent. 0 means that it is unknown. There is no
	// utilisation then.
	Fleet int `json:"fleet"`
}

// staleAfter is the age after which the last known position of a machine is stale.
const staleAfter = 24 * time.Hour

// Figures returns every figure of the state at a time, by its name. It leaves out
// utilisation_pct when the fleet is unknown.
func (s *State) Figures(now time.Time, in Installation) map[string]Figure {
	t := tally{
		now:     now,
		today:   in.Zone.Day(now),
		in:      in,
		down:    map[string]bool{},
		overdue: map[string]bool{},
		out:     map[string]bool{},
		revenue: map[string]event.Money{},
		owed:    map[string]*Entity{},
	}
	for _, e := range s.entities {
		t.add(e)
	}
	figures := map[string]Figure{
		"active_rentals":     {Count: t.active},
		"overdue_rentals":    {Count: len(t.overdue)},
		"due_today":          {Count: t.due},
		"equipment_down":     {Count: len(t.down)},
		"revenue_today":      {Money: t.revenue},
		"overdue_exposure":   {Money: t.exposure()},
		"stale_locations":    {Count: t.stale},
		"timesheets_pending": {Count: t.sheets},
		"leave_pending":      {Count: t.leave},
		"absent_today":       {Count: t.absent},
		"payroll_run_state":  payrollState(t.payroll),
		"sync_state":         syncState(t.sync),
	}
	if in.Fleet > 0 {
		figures["utilisation_pct"] = Figure{Count: int(math.Round(100 * float64(len(t.out)) / float64(in.Fleet)))}
	}
	return figures
}

// A tally counts entities for the figures.
type tally struct {
	now   time.Time
	today string // the day of now in the installation's zone
	in    Installation

	active, due, stale, sheets, leave, absent int

	down    map[string]bool        // equipment that cannot be rented
	overdue map[string]bool        // overdue rentals
	out     map[string]bool        // equipment that customers have
	revenue map[string]event.Money // by currency
	owed    map[string]*Entity     // by rental, the latest overdue entity that names an amount
	payroll *Entity                // the latest payroll run
	sync    *Entity                // the latest sync that has not ended
}

// add counts an entity.
func (t *tally) add(e *Entity) {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	switch e.Type {
	case event.TypeRentalStatusUpdated:
		t.addRental(e, status)
	case event.TypeRentalOverdue:
		if rental := o.Text("rental_id"); e.Closed.IsZero() {
			t.overdue[rental] = true
			if o.Has("amount_outstanding") && isLater(e, t.owed[rental]) {
				t.owed[rental] = e
			}
		}
	case event.TypeMaintenanceRequired:
		if status != "resolved" && o.Bool("blocks_rental") {
			t.down[equipmentOf(o)] = true
		}
	case event.TypePaymentReceived:
		t.addRevenue(1, e.Earned)
		t.addRevenue(-1, e.Refunded)
	case event.TypeEquipmentLocationUpdated:
		if t.now.Sub(timeOf(o, "recorded_at")) > staleAfter {
			t.stale++
		}
	case event.TypeTimesheetUpdated:
		if status == "submitted" {
			t.sheets++
		}
	case event.TypeLeaveRequestUpdated:
		if status == "pending" {
			t.leave++
		}
		if status == "approved" && o.Text("start_date") <= t.today && t.today <= o.Text("end_date") {
			t.absent++
		}
	case event.TypePayrollProcessed:
		if !o.Has("employee_id") && isLater(e, t.payroll) {
			t.payroll = e
		}
	case event.TypeSyncProgress:
		if (status == "running" || status == "queued") && isLater(e, t.sync) {
			t.sync = e
		}
	}
}

// IsWithCustomer reports whether the customer has the equipment of a rental with the
// status.
func IsWithCustomer(status string) bool {
	return status == "active" || status == "off_rent" || status == "pending_return"
}

// addRental counts a rental.
func (t *tally) addRental(e *Entity, status string) {
	if IsWithCustomer(status) {
		t.active++
		var units []json.Number
		_ = json.Unmarshal(e.Fields.Get("equipment_ids"), &units) // an absent field means no units
		for _, unit := range units {
			t.out[unit.String()] = true
		}
	}
	if e.Fields.Text("expected_end_date") == t.today && !endsOverdue(status) {
		t.due++
	}
}

// addRevenue adds the booking b to the revenue, or subtracts it when sign is -1. It ignores
// a nil booking and a booking of another day.
func (t *tally) addRevenue(sign event.Money, b *Booking) {
	if b != nil && t.in.Zone.Day(b.At) == t.today {
		currency := cmp.Or(b.Currency, t.in.Currency)
		t.revenue[currency] = t.revenue[currency].Plus(sign * b.Amount)
	}
}

// exposure returns the amounts that customers owe for overdue rentals, by currency. Each
// rental counts with the last amount of its overdue events, or with the balance after a
// later payment if that is smaller.
func (t *tally) exposure() map[string]event.Money {
	sum := map[string]event.Money{}
	for _, e := range t.owed {
		amount, _ := e.Fields.Money("amount_outstanding")
		if e.Balance != nil {
			amount = min(amount, e.Balance.Amount)
		}
		currency := cmp.Or(e.Fields.Text("currency"), t.in.Currency)
		sum[currency] = sum[currency].Plus(amount)
	}
	return sum
}

// isLater reports whether e changed after other, or there is no other.
func isLater(e, other *Entity) bool { return other == nil || e.Seq > other.Seq }

// payrollState returns the progress of a payroll run, which may be nil.
func payrollState(run *Entity) Figure {
	if run == nil {
		return Figure{State: "none"}
	}
	return Figure{
		State: event.ValueOrDefault(run.Type, run.Fields, "status"),
		Done:  int(run.Fields.Int("processed_count")),
		Total: int(run.Fields.Int("employee_count")),
	}
}

// syncState returns the progress of a sync, which may be nil.
func syncState(run *Entity) Figure {
	if run == nil {
		return Figure{State: "none"}
	}
	return Figure{
		State: event.ValueOrDefault(run.Type, run.Fields, "status"),
		Done:  int(run.Fields.Number("progress")),
		Total: 100,
	}
}

// equipmentOf returns the id of a machine, or its name when the event has no id.
func equipmentOf(o event.Object) string {
	if o.Has("equipment_id") {
		return "#" + o.Text("equipment_id")
	}
	return o.Text("equipment_name")
}
