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
	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/shared/wire"
)

// grants returns readers of each role, of several roles, and of none.
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

// randomEvents returns random events of few entities, so that many events change the same
// entity.
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
			data = fmt.Sprintf(`{"rental_id":%d,"status":%q%s%s%s}`, id,
				pick("active", "off_rent", "returned", "completed", "cancelled"), maybe(`,"customer":"Ann"`),
				maybe(`,"total_amount":5`),
				pick("", fmt.Sprintf(`,"equipment_ids":[%d,7]`, id), `,"expected_end_date":"2026-11-25"`))
		case event.TypePaymentReceived:
			data = fmt.Sprintf(`{"rental_id":%d,"amount":%d,"payment_method":"cash"%s%s%s%s}`, id, id*7,
				maybe(fmt.Sprintf(`,"balance_due":%d`, r.Intn(9))), maybe(fmt.Sprintf(`,"payment_id":%d`, id)),
				maybe(fmt.Sprintf(`,"status":%q`, pick("completed", "pending", "refunded", "failed"))),
				maybe(`,"received_at":"2026-11-24T10:00:00Z"`))
		case event.TypeMaintenanceRequired:
			data = fmt.Sprintf(`{"equipment_name":"E%d","issue":"x"%s%s%s}`, id,
				maybe(fmt.Sprintf(`,"maintenance_id":%d`, id)), maybe(`,"blocks_rental":true`),
				maybe(`,"status":"resolved"`))
		case event.TypeRentalOverdue:
			data = fmt.Sprintf(`{"rental_id":%d,"days_overdue":%d%s%s%s}`, id, r.Intn(9),
				maybe(fmt.Sprintf(`,"amount_outstanding":%d`, r.Intn(9))), maybe(`,"customer_phone":"+4930123"`),
				maybe(`,"reason":"late_payment"`))
		case event.TypeEquipmentLocationUpdated:
			data = fmt.Sprintf(`{"equipment_id":%d,"location_name":"L%d"%s%s}`, id, r.Intn(9),
				maybe(`,"latitude":1,"longitude":2`),
				maybe(fmt.Sprintf(`,"recorded_at":%q`,
					now.Add(-time.Duration(r.Intn(48))*time.Hour).Format(time.RFC3339))))
		case event.TypeTimesheetUpdated:
			data = fmt.Sprintf(`{"timesheet_id":%d,"employee_id":%d,"status":%q,"date":"2026-11-23"%s}`, id, id,
				pick("draft", "submitted", "paid"), maybe(`,"rental_id":4`))
		case event.TypePayrollProcessed:
			data = fmt.Sprintf(`{"payroll_run_id":%d,"period":"2026-11"%s%s}`, id,
				maybe(fmt.Sprintf(`,"employee_id":%d,"amount":100`, 1+r.Intn(3))), maybe(`,"total_net":9`))
		case event.TypeLeaveRequestUpdated:
			data = fmt.Sprintf(`{"leave_request_id":%d,"employee_id":%d,"status":%q,"start_date":"2026-11-23",`+
				`"end_date":"2026-11-2%d"%s%s}`, id, id,
				pick("pending", "approved", "rejected"), 4+r.Intn(5), maybe(`,"reason":"r"`),
				maybe(`,"leave_type":"sick"`))
		case event.TypeSystemNotification:
			data = fmt.Sprintf(`{"message":"m"%s}`, maybe(`,"audience":["yard"]`))
		case event.TypeSyncProgress:
			// The broker keeps the starter of a sync on each of its events.
			data = fmt.Sprintf(`{"sync_id":"s%d","progress":%d,"started_by":%d%s}`, id, r.Intn(100), id,
				maybe(`,"status":"failed","error":"e"`))
		}
		e := eventAt(t, now, typ, data)
		e.Actor = "service:erp"
		out = append(out, e)
	}
	return out
}

// The fold of the redacted events must equal the redacted fold of all events, for every
// reader, at every cursor and from any snapshot. So must the figures.
func TestRedactionCommutesWithTheFold(t *testing.T) {
	for seed := range randtest.Seeds(8) {
		r := rand.New(rand.NewSource(seed))
		events := randomEvents(t, r, 100)
		for _, g := range grants(t) {
			whole, own := NewState("k"), NewState("k")
			var resumed *State // starts from the snapshot after event number start
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
					t.Fatalf("seed %d, %v, event %d (%s)\n own %s\nwant %s", seed, g, i, e.Data.AppendJSON(nil), got,
						want)
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
						continue // it shows the reader's own syncs only
					}
					if value.String() != figures[name].String() {
						t.Fatalf("seed %d, %v, event %d: %s is %s, want %s", seed, g, i, name, value, figures[name])
					}
				}
			}
		}
	}
}

// roundTrip returns the state of a snapshot after its way through JSON.
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

// dump returns the entities as text, sorted. It sorts the fields too, because their order
// is that in which a reader first saw them.
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
