package projection

import (
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// An older broker stored a state with times of the far future. After ClampTimes, later
// events must count again.
func TestClampTimesLetsLaterEventsCount(t *testing.T) {
	s := newScript(t)
	s.now = noon.AddDate(20, 0, 0)
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"wrong"}`)
	s.apply(event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash"}`)
	s.apply(event.TypePaymentReceived,
		`{"rental_id":1,"payment_id":"r","amount":5,"payment_method":"cash","status":"refunded"}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":1,"amount_outstanding":5}`)
	s.apply(event.TypePaymentReceived,
		`{"rental_id":1,"payment_id":"b","amount":5,"payment_method":"cash","balance_due":1}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"completed"}`)
	s.now = noon
	s.apply(event.TypeLeaveRequestUpdated, `{"leave_request_id":1,"employee_id":1,"status":"approved",`+
		`"start_date":"2030-01-01","end_date":"2030-01-05"}`)
	leave, stored := s.state.Get("leave/1"), s.state.Entities()
	s.state.ClampTimes(noon)
	for _, e := range s.state.Entities() {
		if e.Key == "leave/1" {
			continue
		}
		for name, at := range map[string]time.Time{"time": e.Time, "closed": e.Closed,
			"recorded_at": timeOf(e.Fields, "recorded_at")} {
			if at.After(noon) {
				t.Errorf("%s of %s is still %v", name, e.Key, at)
			}
		}
		for _, b := range []*Booking{e.Earned, e.Refunded, e.Balance} {
			if b != nil && b.At.After(noon) {
				t.Errorf("a booking of %s is still at %v", e.Key, b.At)
			}
		}
	}
	if got := s.state.Get("leave/1"); got != leave || got.Closed.Year() != 2030 {
		t.Errorf("the end of a leave was moved: %+v", got)
	}
	if NewStateFrom(s.state.Cursor, stored).Get("location/7").Fields.Text("recorded_at")[:4] != "2046" {
		t.Error("an entity was changed in place")
	}
	s.now = noon.Add(time.Second)
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"right"}`)
	if got := s.state.Get("location/7").Fields.Text("location_name"); got != "right" {
		t.Errorf("the machine is still at %q", got)
	}
	s.state.Prune(noon.AddDate(0, 0, 8), 99)
	if n := len(s.state.Entities()); n != 2 {
		t.Errorf("%d entities are left, want the location and the leave", n)
	}
}
