package projection

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// make returns an event of the given payload at a time.
func at(t testing.TB, when time.Time, typ event.Type, data string) event.Event {
	t.Helper()
	e, _, err := event.Parse(fmt.Appendf(nil, `{"type":%q,"data":%s}`, typ, data), event.Rules{})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return e.Stamp("id", when)
}

type script struct {
	*testing.T
	state *State
	now   time.Time
}

func newScript(t *testing.T) *script { return &script{t, NewState("k"), noon} }

func (s *script) apply(typ event.Type, data string) {
	s.Helper()
	s.state.Apply(at(s, s.now, typ, data), wire.Cursor{Epoch: "k", Seq: s.state.Cursor.Seq + 1})
}

func (s *script) want(figure, value string) {
	s.Helper()
	if got := s.state.Figures(s.now, Installation{Zone: Zone{Offset: 3600, Next: 3600}, Currency: "EUR", Fleet: 10})[figure].String(); got != value {
		s.Errorf("%s is %s, want %s", figure, got, value)
	}
}

func TestRentals(t *testing.T) {
	s := newScript(t)
	for i, status := range []string{"pending", "reserved", "pending_delivery", "active", "off_rent", "pending_return", "returned", "completed", "cancelled"} {
		s.apply(event.TypeRentalStatusUpdated, fmt.Sprintf(`{"rental_id":%d,"status":%q}`, i+1, status))
	}
	s.want("active_rentals", "3")
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":4,"status":"returned"}`)
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":4,"status":"returned"}`)
	s.want("active_rentals", "2")
}

func TestOverdue(t *testing.T) {
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

func TestEquipmentDown(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":7,"equipment_name":"A","issue":"x","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":7,"equipment_name":"A","issue":"y","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired, `{"maintenance_id":"m","equipment_name":"B","issue":"z","blocks_rental":true}`)
	s.apply(event.TypeMaintenanceRequired, `{"equipment_id":9,"equipment_name":"C","issue":"x"}`)
	s.want("equipment_down", "2")
	// The later event does not say blocks_rental again.
	s.apply(event.TypeMaintenanceRequired, `{"maintenance_id":"m","equipment_name":"B","issue":"z","status":"in_progress"}`)
	s.want("equipment_down", "2")
	s.apply(event.TypeMaintenanceRequired, `{"maintenance_id":"m","equipment_name":"B","issue":"z","status":"resolved"}`)
	s.want("equipment_down", "1")
}

func TestRevenue(t *testing.T) {
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
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"new","recorded_at":"2026-11-23T10:00:00Z","battery_pct":5}`)
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"old","recorded_at":"2026-11-23T09:00:00Z"}`)
	fix := s.state.Get("location/7")
	if fix.Fields.Text("location_name") != "new" {
		t.Error("an older fix won")
	}
	s.apply(event.TypeEquipmentLocationUpdated, `{"equipment_id":7,"location_name":"newest"}`)
	if fix := s.state.Get("location/7"); fix.Fields.Text("location_name") != "newest" || fix.Fields.Text("battery_pct") != "5" || fix.Fields.Text("recorded_at") != "2026-11-23T12:00:00Z" {
		t.Errorf("%s", fix.Fields.AppendJSON(nil))
	}
}

func TestClosedEntitiesLeave(t *testing.T) {
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
	// Started afresh whether or not it was forgotten meanwhile.
	s.now = noon.Add(9 * 24 * time.Hour)
	kept := NewStateFrom(s.state.Cursor, s.state.Entities())
	s.state.Prune(s.now, 99)
	if len(s.state.Entities()) != 1 {
		t.Error("not forgotten")
	}
	s.apply(event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"pending"}`)
	kept.Apply(at(t, s.now, event.TypeRentalStatusUpdated, `{"rental_id":1,"status":"pending"}`), s.state.Cursor)
	if a, b := s.state.Get("rental/1"), kept.Get("rental/1"); string(encode(a)) != string(encode(b)) || a.Fields.Has("customer") {
		t.Errorf("%s\n%s", encode(a), encode(b))
	}
}

// TestEveryStateCanBeWritten: no valid event leaves a state that JSON cannot
// hold.
func TestEveryStateCanBeWritten(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypeLeaveRequestUpdated, `{"leave_request_id":1,"employee_id":1,"status":"approved","start_date":"2026-01-01","end_date":"9999-12-31"}`)
	s.apply(event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash","received_at":"9999-12-31T23:59:59Z"}`)
	if _, err := json.Marshal(s.state); err != nil {
		t.Error(err)
	}
}

// TestBookedLaterIsKept: a payment counts on the day that it names, however
// old its event says it is.
func TestBookedLaterIsKept(t *testing.T) {
	s := newScript(t)
	s.now = noon.Add(-20 * 24 * time.Hour)
	s.apply(event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash","received_at":"2026-11-23T10:00:00Z"}`)
	s.now = noon
	s.state.Prune(noon, 99)
	s.want("revenue_today", "EUR 5")
}

func TestApplyTwiceIsOnce(t *testing.T) {
	s := newScript(t)
	s.apply(event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash"}`)
	s.state.Apply(at(t, noon, event.TypePaymentReceived, `{"rental_id":1,"amount":5,"payment_method":"cash"}`), s.state.Cursor)
	s.want("revenue_today", "EUR 5")
}

func TestZone(t *testing.T) {
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
	for _, instant := range []time.Time{before, before.Add(3 * time.Hour), before.Add(5*time.Hour + time.Minute), before.Add(27*time.Hour - time.Second), before.Add(27 * time.Hour)} {
		if got, want := z.Day(instant), instant.In(berlin).Format(time.DateOnly); got != want {
			t.Errorf("%v is on %s, want %s", instant, got, want)
		}
	}
	if got := ZoneAt(before, time.UTC); got != (Zone{}) {
		t.Errorf("UTC: %+v", got)
	}
}

func TestCheckpoint(t *testing.T) {
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
		t.Error("a checkpoint came back otherwise")
	}
	if json.Unmarshal([]byte(`{"version":0}`), &back) == nil || json.Unmarshal([]byte(`{"version":1,"cursor":"x"}`), &back) == nil {
		t.Error("a foreign checkpoint was taken")
	}
}

// grants are readers of every role, some of several, and persons.
func grants(t testing.TB) []access.Grant {
	var out []access.Grant
	add := func(user string, employee int64, roles ...access.Role) {
		g, err := access.NewGrant(user, "", roles, employee)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	for _, r := range access.Roles {
		add("1", 0, r)
	}
	add("2", 2)
	add("3", 3, access.Dispatcher)
	add("1", 1, access.Yard, access.HR)
	add("2", 2, access.Manager, access.Admin)
	return out
}

// randomEvents draws events over few entities, so that they meet often.
func randomEvents(t testing.TB, r *rand.Rand, n int) []event.Event {
	now := noon
	pick := func(values ...string) string { return values[r.Intn(len(values))] }
	maybe := func(s string) string { return pick(s, "") }
	out := make([]event.Event, 0, n)
	for range n {
		now = now.Add(time.Duration(r.Intn(5*3600)) * time.Second)
		id := 1 + r.Intn(3)
		typ := event.Types[r.Intn(len(event.Types))]
		var data string
		switch typ {
		case event.TypeRentalStatusUpdated:
			data = fmt.Sprintf(`{"rental_id":%d,"status":%q%s%s%s}`, id, pick("active", "off_rent", "returned", "completed", "cancelled"), maybe(`,"customer":"Ann"`), maybe(`,"total_amount":5`),
				pick("", fmt.Sprintf(`,"equipment_ids":[%d,7]`, id), `,"expected_end_date":"2026-11-25"`))
		case event.TypePaymentReceived:
			data = fmt.Sprintf(`{"rental_id":%d,"amount":%d,"payment_method":"cash"%s%s%s%s}`, id, id*7, maybe(fmt.Sprintf(`,"balance_due":%d`, r.Intn(9))), maybe(fmt.Sprintf(`,"payment_id":%d`, id)),
				maybe(fmt.Sprintf(`,"status":%q`, pick("completed", "pending", "refunded", "failed"))), maybe(`,"received_at":"2026-11-24T10:00:00Z"`))
		case event.TypeMaintenanceRequired:
			data = fmt.Sprintf(`{"equipment_name":"E%d","issue":"x"%s%s%s}`, id, maybe(fmt.Sprintf(`,"maintenance_id":%d`, id)), maybe(`,"blocks_rental":true`), maybe(`,"status":"resolved"`))
		case event.TypeRentalOverdue:
			data = fmt.Sprintf(`{"rental_id":%d,"days_overdue":%d%s%s%s}`, id, r.Intn(9), maybe(fmt.Sprintf(`,"amount_outstanding":%d`, r.Intn(9))), maybe(`,"customer_phone":"+4930123"`), maybe(`,"reason":"late_payment"`))
		case event.TypeEquipmentLocationUpdated:
			data = fmt.Sprintf(`{"equipment_id":%d,"location_name":"L%d"%s%s}`, id, r.Intn(9), maybe(`,"latitude":1,"longitude":2`),
				maybe(fmt.Sprintf(`,"recorded_at":%q`, now.Add(-time.Duration(r.Intn(48))*time.Hour).Format(time.RFC3339))))
		case event.TypeTimesheetUpdated:
			data = fmt.Sprintf(`{"timesheet_id":%d,"employee_id":%d,"status":%q,"date":"2026-11-23"%s}`, id, id, pick("draft", "submitted", "paid"), maybe(`,"rental_id":4`))
		case event.TypePayrollProcessed:
			data = fmt.Sprintf(`{"payroll_run_id":%d,"period":"2026-11"%s%s}`, id, maybe(fmt.Sprintf(`,"employee_id":%d,"amount":100`, 1+r.Intn(3))), maybe(`,"total_net":9`))
		case event.TypeLeaveRequestUpdated:
			data = fmt.Sprintf(`{"leave_request_id":%d,"employee_id":%d,"status":%q,"start_date":"2026-11-23","end_date":"2026-11-2%d"%s%s}`, id, id,
				pick("pending", "approved", "rejected"), 4+r.Intn(5), maybe(`,"reason":"r"`), maybe(`,"leave_type":"sick"`))
		case event.TypeSystemNotification:
			data = fmt.Sprintf(`{"message":"m"%s}`, maybe(`,"audience":["yard"]`))
		case event.TypeSyncProgress:
			// The broker keeps the starter of a sync on each of its events.
			data = fmt.Sprintf(`{"sync_id":"s%d","progress":%d,"started_by":%d%s}`, id, r.Intn(100), id, maybe(`,"status":"failed","error":"e"`))
		}
		e := at(t, now, typ, data)
		e.Actor = "service:erp"
		out = append(out, e)
	}
	return out
}

// TestRedactionCommutes holds, for every reader, at every cursor and from any
// snapshot: the fold of what they see is the state as they see it, and so are
// its figures.
func TestRedactionCommutes(t *testing.T) {
	for seed := range int64(8) {
		r := rand.New(rand.NewSource(seed))
		events := randomEvents(t, r, 100)
		for _, g := range grants(t) {
			whole, own := NewState("k"), NewState("k")
			var resumed *State // from a snapshot somewhere on the way
			start := r.Intn(len(events))
			for i, e := range events {
				cursor := wire.Cursor{Epoch: "k", Seq: uint64(i + 1)}
				whole.Apply(e, cursor)
				if seen, ok := access.Redact(g, e); ok {
					own.Apply(seen, cursor)
					if resumed != nil {
						resumed.Apply(seen, cursor)
					}
				}
				snapshot := NewSnapshot(cursor, whole.Entities(), g, e.Time, Installation{Currency: "EUR", Fleet: 4})
				want := dump(snapshot.Entities)
				if got := dump(own.Entities()); got != want {
					t.Fatalf("seed %d, %v, event %d (%s)\n own %s\nwant %s", seed, g, i, e.Data.AppendJSON(nil), got, want)
				}
				if resumed != nil {
					if got := dump(resumed.Entities()); got != want {
						t.Fatalf("seed %d, %v, event %d, from %d\n got %s\nwant %s", seed, g, i, start, got, want)
					}
				}
				if i == start {
					resumed = roundTrip(t, snapshot)
				}
				figures := whole.Figures(e.Time, Installation{Currency: "EUR", Fleet: 4})
				for name, value := range snapshot.Figures {
					if name == "sync_state" && !g.HasRole(access.Admin) {
						continue // of the reader's own syncs
					}
					if value.String() != figures[name].String() {
						t.Fatalf("seed %d, %v, event %d: %s is %s, want %s", seed, g, i, name, value, figures[name])
					}
				}
			}
		}
	}
}

// roundTrip sends a snapshot over the wire.
func roundTrip(t *testing.T, s Snapshot) *State {
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return NewStateFrom(back.Cursor, back.Entities)
}

// dump is the entities as text, in the order of their keys. The order of
// fields is the order in which a reader came to see them.
func dump(entities []*Entity) string {
	var lines []string
	for _, e := range entities {
		sorted := *e
		sorted.Fields = slices.SortedFunc(slices.Values(e.Fields), func(a, b event.Field) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		lines = append(lines, string(encode(&sorted)))
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

func encode(e *Entity) []byte {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return raw
}
