package projection

import (
	"cmp"
	"encoding/json"
	"math"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// An Installation is what figures need to know of where they are read.
type Installation struct {
	Zone     Zone   `json:"zone"`
	Currency string `json:"currency"` // of amounts that name none
	Fleet    int    `json:"fleet"`    // rentable units; 0: unknown, and no utilisation
}

// staleAfter is how old the last fix of a machine may be.
const staleAfter = 24 * time.Hour

// Figures computes every figure from the state.
func (s *State) Figures(now time.Time, in Installation) map[string]Figure {
	t := tally{now: now, today: in.Zone.Day(now), in: in, down: map[string]bool{}, overdue: map[string]bool{}, out: map[string]bool{},
		revenue: map[string]event.Money{}, owed: map[string]*Entity{}}
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

// A tally gathers, over the entities, what figures are made of.
type tally struct {
	now   time.Time
	today string
	in    Installation

	active, due, stale, sheets, leave, absent int

	down, overdue, out map[string]bool // equipment, rentals, equipment
	revenue            map[string]event.Money
	owed               map[string]*Entity // by rental: the latest overdue that names an amount
	payroll, sync      *Entity            // the latest
}

func (t *tally) add(e *Entity) {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	switch e.Type {
	case event.TypeRentalStatusUpdated:
		t.addRental(e, status)
	case event.TypeRentalOverdue:
		if rental := o.Text("rental_id"); e.Closed.IsZero() {
			t.overdue[rental] = true
			if o.Has("amount_outstanding") && later(e, t.owed[rental]) {
				t.owed[rental] = e
			}
		}
	case event.TypeMaintenanceRequired:
		if status != "resolved" && o.Bool("blocks_rental") {
			t.down[equipmentOf(o)] = true
		}
	case event.TypePaymentReceived:
		t.book(1, e.Earned)
		t.book(-1, e.Refunded)
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
		if !o.Has("employee_id") && later(e, t.payroll) {
			t.payroll = e
		}
	case event.TypeSyncProgress:
		if (status == "running" || status == "queued") && later(e, t.sync) {
			t.sync = e
		}
	}
}

// IsWithCustomer reports whether a rental of a status is with the customer.
func IsWithCustomer(status string) bool {
	return status == "active" || status == "off_rent" || status == "pending_return"
}

func (t *tally) addRental(e *Entity, status string) {
	if IsWithCustomer(status) {
		t.active++
		var units []json.Number
		_ = json.Unmarshal(e.Fields.Get("equipment_ids"), &units) // absent is none
		for _, unit := range units {
			t.out[unit.String()] = true
		}
	}
	if e.Fields.Text("expected_end_date") == t.today && !endsOverdue(status) {
		t.due++
	}
}

func (t *tally) book(sign event.Money, b *Booking) {
	if b != nil && t.in.Zone.Day(b.At) == t.today {
		currency := cmp.Or(b.Currency, t.in.Currency)
		t.revenue[currency] = t.revenue[currency].Plus(sign * b.Amount)
	}
}

// exposure is what overdue rentals owe: of each the amount that was named
// last, or what a later payment left of it.
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

func later(e, than *Entity) bool { return than == nil || e.Seq > than.Seq }

func payrollState(run *Entity) Figure {
	if run == nil {
		return Figure{State: "none"}
	}
	return Figure{State: event.ValueOrDefault(run.Type, run.Fields, "status"), Done: int(run.Fields.Int("processed_count")), Total: int(run.Fields.Int("employee_count"))}
}

func syncState(run *Entity) Figure {
	if run == nil {
		return Figure{State: "none"}
	}
	return Figure{State: event.ValueOrDefault(run.Type, run.Fields, "status"), Done: int(run.Fields.Number("progress")), Total: 100}
}

func equipmentOf(o event.Object) string {
	if o.Has("equipment_id") {
		return "#" + o.Text("equipment_id")
	}
	return o.Text("equipment_name")
}
