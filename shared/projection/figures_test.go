package projection

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// The installation's zone is one hour east of UTC.
func TestDueTodayFollowsTheDayOfTheInstallation(t *testing.T) {
	s := newScript(t)
	for i, status := range []string{"active", "pending_return", "reserved", "returned", "completed", "cancelled"} {
		s.apply(event.TypeRentalStatusUpdated,
			fmt.Sprintf(`{"rental_id":%d,"status":%q,"expected_end_date":"2026-11-23"}`, i+1, status))
	}
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":9,"status":"active","expected_end_date":"2026-11-24"}`)
	s.want("due_today", "3")
	s.now = time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)
	s.want("due_today", "1")
}

func TestUtilisationCountsEachUnitOnce(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"active","equipment_ids":[1,2]}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":2,"status":"off_rent","equipment_ids":[2,3]}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":3,"status":"reserved","equipment_ids":[4]}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":4,"status":"active"}`)
	s.want("utilisation_pct", "30")
	if _, known := s.state.Figures(noon, Installation{})["utilisation_pct"]; known {
		t.Error("a utilisation of an unknown fleet")
	}
}

// Each rental counts once: with the amount that was named last, or with the smaller
// balance after a later payment.
func TestOverdueExposureFollowsTheLatestAmount(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":1,"amount_outstanding":100.50}`)
	s.apply(event.TypeRentalOverdue,
		`{"rental_id":1,"days_overdue":1,"reason":"late_payment","amount_outstanding":120}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":2,"days_overdue":1,"amount_outstanding":50,"currency":"USD"}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":3,"days_overdue":1}`)
	s.want("overdue_exposure", "EUR 120, USD 50")
	pay := func(rental int, balance string) {
		s.apply(event.TypePaymentReceived, fmt.Sprintf(`{"rental_id":%d,"amount":5,"payment_method":"cash"%s}`, rental,
			balance))
	}
	pay(1, "")
	s.want("overdue_exposure", "EUR 120, USD 50")
	pay(1, `,"balance_due":20.25`)
	s.want("overdue_exposure", "EUR 20.25, USD 50")
	pay(2, `,"balance_due":80`)
	s.want("overdue_exposure", "EUR 20.25, USD 50")
	s.state.Prune(noon.Add(30*24*time.Hour), 99) // removes the payments, but not the balances that they left
	s.want("overdue_exposure", "EUR 20.25, USD 50")
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":2,"reason":"late_payment"}`)
	s.want("overdue_exposure", "EUR 20.25, USD 50")
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":3,"reason":"late_payment","amount_outstanding":70}`)
	s.want("overdue_exposure", "EUR 70, USD 50")
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"completed"}`)
	s.want("overdue_exposure", "USD 50")
}

func TestLocationIsStaleAfterOneDay(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeEquipmentLocationUpdated,
		`{"equipment_id":1,"location_name":"L","recorded_at":"2026-11-22T11:59:59Z"}`)
	s.apply(event.TypeEquipmentLocationUpdated,
		`{"equipment_id":2,"location_name":"L","recorded_at":"2026-11-22T12:00:00Z"}`)
	s.want("stale_locations", "1")
}

func TestTimesheetsLeaveAndPayrollAreCounted(t *testing.T) {
	s := newScript(t)
	for i, status := range []string{"draft", "submitted", "submitted", "approved"} {
		s.apply(event.TypeTimesheetUpdated,
			fmt.Sprintf(`{"timesheet_id":%d,"employee_id":1,"status":%q,"date":"2026-11-23"}`, i+1, status))
	}
	s.want("timesheets_pending", "2")
	for i, c := range []string{`"status":"pending","start_date":"2026-11-23","end_date":"2026-11-23"`,
		`"status":"approved","start_date":"2026-11-20","end_date":"2026-11-23"`,
		`"status":"approved","start_date":"2026-11-24","end_date":"2026-11-25"`,
		`"status":"rejected","start_date":"2026-11-23","end_date":"2026-11-23"`} {
		s.apply(event.TypeLeaveRequestUpdated, fmt.Sprintf(`{"leave_request_id":%d,"employee_id":1,%s}`, i+1, c))
	}
	s.want("leave_pending", "1")
	s.want("absent_today", "1")
	s.want("payroll_run_state", "none")
	s.apply(event.TypePayrollProcessed,
		`{"payroll_run_id":1,"period":"2026-11","status":"processing","employee_count":40,"processed_count":12}`)
	s.apply(event.TypePayrollProcessed, `{"payroll_run_id":1,"period":"2026-11","employee_id":4,"amount":1}`)
	s.want("payroll_run_state", "processing 12/40")
}

func TestOnlyAdminsAndTheStarterSeeTheSyncState(t *testing.T) {
	s := newScript(t)
	s.want("sync_state", "none")
	s.apply(event.TypeSyncProgress, `{"sync_id":"a","progress":45.9,"started_by":5}`)
	s.want("sync_state", "running 45/100")
	reader := func(user string, roles ...access.Role) map[string]Figure {
		g, err := access.NewGrant(user, "", roles, 0)
		if err != nil {
			t.Fatal(err)
		}
		return NewSnapshot(wire.Cursor{}, s.state.Entities(), g, noon, Installation{}).Figures
	}
	if got := reader("5", access.Yard)["sync_state"].String(); got != "running 45/100" {
		t.Errorf("its starter sees %s", got)
	}
	if _, sees := reader("6", access.Yard)["sync_state"]; sees {
		t.Error("a stranger sees a sync")
	}
	s.apply(event.TypeSyncProgress, `{"sync_id":"a","progress":100,"status":"completed"}`)
	s.want("sync_state", "none")
}

func TestFiguresComeBackFromJSON(t *testing.T) {
	for _, v := range []Figure{{Count: 3}, {Money: map[string]event.Money{"EUR": 150}},
		{Money: map[string]event.Money{}}, {State: "running", Done: 45, Total: 100}, {State: "none"}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Figure
		if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(v, back) {
			t.Errorf("%s came back as %+v (%v)", raw, back, err)
		}
	}
}
