package projection

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// noon is the time at which a script begins.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// eventAt returns an event with a payload at a time.
func eventAt(t testing.TB, when time.Time, typ event.Type, data string) event.Event {
	t.Helper()
	e, _, err := event.Parse(fmt.Appendf(nil, `{"type":%q,"data":%s}`, typ, data), event.Rules{})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return e.Stamp("id", when)
}

// A script applies events to a state, and checks its figures.
type script struct {
	*testing.T
	state *State
	now   time.Time
}

func newScript(t *testing.T) *script { return &script{t, NewState("k"), noon} }

// apply applies the next event, at the script's time.
func (s *script) apply(typ event.Type, data string) {
	s.Helper()
	s.state.Apply(eventAt(s, s.now, typ, data), wire.Cursor{Epoch: "k", Seq: s.state.Cursor.Seq + 1})
}

// want checks a figure at the script's time.
func (s *script) want(figure, value string) {
	s.Helper()
	in := Installation{Zone: Zone{Offset: 3600, Next: 3600}, Currency: "EUR", Fleet: 10}
	if got := s.state.Figures(s.now, in)[figure].String(); got != value {
		s.Errorf("%s is %s, want %s", figure, got, value)
	}
}

func TestActiveRentalsFollowTheStatusOfEachRental(t *testing.T) {
	s := newScript(t)
	for i, status := range []string{"pending", "reserved", "pending_delivery", "active", "off_rent", "pending_return",
		"returned", "completed", "cancelled"} {
		s.apply(event.TypeRentalStatusUpdated, fmt.Sprintf(`{"rental_id":%d,"status":%q}`, i+1, status))
	}
	s.want("active_rentals", "3")
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":4,"status":"returned"}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":4,"status":"returned"}`)
	s.want("active_rentals", "2")
}

func TestOverdueRentalsEndWithTheRental(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"active"}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":1}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":2}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":2,"reason":"late_payment"}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":2,"days_overdue":0}`)
	s.want("overdue_rentals", "2")
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"off_rent"}`)
	s.want("overdue_rentals", "2")
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"returned"}`)
	s.want("overdue_rentals", "1")
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":3,"reason":"late_payment"}`)
	s.want("overdue_rentals", "2")
}

func TestEquipmentIsDownUntilItsMaintenanceIsResolved(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":7,"equipment_name":"A","issue":"x","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":7,"equipment_name":"A","issue":"y","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired,
		`{"maintenance_id":"m","equipment_name":"B","issue":"z","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":9,"equipment_name":"C","issue":"x"}`)
	s.want("equipment_down", "2")
	// The later event does not say blocks_rental again.
	s.apply(event.TypeMaintenanceRequired,
		`{"maintenance_id":"m","equipment_name":"B","issue":"z","status":"in_progress"}`)
	s.want("equipment_down", "2")
	s.apply(event.TypeMaintenanceRequired,
		`{"maintenance_id":"m","equipment_name":"B","issue":"z","status":"resolved"}`)
	s.want("equipment_down", "1")
}

func TestRevenueCountsEachPaymentOnItsDay(t *testing.T) {
	s := newScript(t)
	pay := func(data string) {
		s.apply(event.TypePaymentReceived, `{"rental_id":1,"payment_method":"cash",`+data+`}`)
	}
	s.want("revenue_today", "0")
	pay(`"payment_id":1,"amount":100.10`)
	pay(`"payment_id":1,"amount":100.10`) // an update, not a second payment
	pay(`"amount":50`)
	pay(`"amount":50,"currency":"EUR"`)
	pay(`"amount":7,"currency":"USD"`)
	pay(`"amount":999,"status":"pending"`)
	pay(`"amount":999,"status":"failed"`)
	s.want("revenue_today", "EUR 200.10, USD 7")
	pay(`"payment_id":1,"amount":100.10,"status":"refunded"`)
	s.want("revenue_today", "EUR 100, USD 7")
	pay(`"amount":20,"status":"refunded"`)
	s.want("revenue_today", "EUR 80, USD 7")
	pay(`"payment_id":"y","amount":1000,"received_at":"2026-11-22T22:59:59Z"`) // yesterday in the zone
	pay(`"payment_id":"t","amount":1,"received_at":"2026-11-22T23:00:00Z"`)
	s.want("revenue_today", "EUR 81, USD 7")
	s.now = noon.Add(24 * time.Hour)
	s.want("revenue_today", "0")
	pay(`"payment_id":"y","amount":300,"status":"refunded"`)
	s.want("revenue_today", "EUR -300")
}

func TestLocationsKeepTheNewestFix(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeEquipmentLocationUpdated,
		`{"equipment_id":7,"location_name":"new","recorded_at":"2026-11-23T10:00:00Z","battery_pct":5}`)
	s.apply(event.TypeEquipmentLocationUpdated,
		`{"equipment_id":7,"location_name":"old","recorded_at":"2026-11-23T09:00:00Z"}`)
	fix := s.state.Get("location/7")
	if fix.Fields.Text("location_name") != "new" {
		t.Error("an older fix won")
	}
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"newest"}`)
	if fix := s.state.Get("location/7"); fix.Fields.Text("location_name") != "newest" ||
		fix.Fields.Text("battery_pct") != "5" || fix.Fields.Text("recorded_at") != "2026-11-23T12:00:00Z" {
		t.Errorf("%s", fix.Fields.AppendJSON(nil))
	}
}

func TestPruneRemovesEntitiesThatWereClosedForLong(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"active","customer":"Ann"}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":2,"status":"active","customer":"Bob"}`)
	s.apply(event.TypeRentalOverdue, `{"rental_id":1,"days_overdue":1}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"completed"}`)
	s.state.Prune(noon.Add(7*24*time.Hour), 99)
	s.state.Prune(noon.Add(99*24*time.Hour), 0)
	if len(s.state.Entities()) != 3 {
		t.Error("left too early")
	}
	// The next event starts a new entity, whether Prune has removed the old one or not.
	s.now = noon.Add(9 * 24 * time.Hour)
	kept := NewStateFrom(s.state.Cursor, s.state.Entities())
	s.state.Prune(s.now, 99)
	if len(s.state.Entities()) != 1 {
		t.Error("not forgotten")
	}
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"pending"}`)
	kept.Apply(eventAt(t, s.now, event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"pending"}`), s.state.Cursor)
	if a, b := s.state.Get("rental/1"), kept.Get("rental/1"); string(encode(a)) != string(encode(b)) ||
		a.Fields.Has("customer") {
		t.Errorf("%s\n%s", encode(a), encode(b))
	}
}

func TestStateOfExtremeTimesCanBeWrittenAsJSON(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeLeaveRequestUpdated,
		`{"leave_request_id":1,"employee_id":1,"status":"approved","start_date":"2026-01-01","end_date":"9999-12-31"}`)
	s.apply(event.TypePaymentReceived,
		`{"rental_id":1,"amount":5,"payment_method":"cash","received_at":"9999-12-31T23:59:59Z"}`)
	if _, err := json.Marshal(s.state); err != nil {
		t.Error(err)
	}
}

// A payment counts on the day that it names, even if the time of its event is long ago.
func TestPruneKeepsAPaymentUntilTheDayItCountsOn(t *testing.T) {
	s := newScript(t)
	s.now = noon.Add(-20 * 24 * time.Hour)
	s.apply(event.TypePaymentReceived,
		`{"rental_id":1,"amount":5,"payment_method":"cash","received_at":"2026-11-23T10:00:00Z"}`)
	s.now = noon
	s.state.Prune(noon, 99)
	s.want("revenue_today", "EUR 5")
}

func TestApplyIgnoresAnEventThatItHasApplied(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash"}`)
	s.state.Apply(eventAt(t, noon, event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash"}`),
		s.state.Cursor)
	s.want("revenue_today", "EUR 5")
}

func TestZoneNamesTheDayAroundClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC) // the night before summer time ends
	z := ZoneAt(before, berlin)
	spring := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC) // the day on which it begins
	if got := ZoneAt(spring, berlin).Day(time.Date(2026, 3, 28, 22, 30, 0, 0, time.UTC)); got != "2026-03-28" {
		t.Errorf("the evening before summer time is on %s", got)
	}
	for _, instant := range []time.Time{before, before.Add(3 * time.Hour), before.Add(5*time.Hour + time.Minute),
		before.Add(27*time.Hour - time.Second), before.Add(27 * time.Hour)} {
		if got, want := z.Day(instant), instant.In(berlin).Format(time.DateOnly); got != want {
			t.Errorf("%v is on %s, want %s", instant, got, want)
		}
	}
	if got := ZoneAt(before, time.UTC); got != (Zone{}) {
		t.Errorf("UTC: %+v", got)
	}
}

func TestCheckpointComesBackAsTheSameState(t *testing.T) {
	s, r := NewState("k"), rand.New(rand.NewSource(1))
	for i, e := range randomEvents(t, r, 300) {
		s.Apply(e, wire.Cursor{Epoch: "k", Seq: uint64(i + 1)})
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if back.Cursor != s.Cursor || dump(back.Entities()) != dump(s.Entities()) {
		t.Error("the checkpoint came back as another state")
	}
	if json.Unmarshal([]byte(`{"version":0}`), &back) == nil ||
		json.Unmarshal([]byte(`{"version":1,"cursor":"x"}`), &back) == nil {
		t.Error("a foreign checkpoint was accepted")
	}
}
