package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/snd-rental/yardline/shared/event"
)

// grant returns a grant without a name.
func grant(t *testing.T, user string, employee int64, roles ...Role) Grant {
	t.Helper()
	g, err := NewGrant(user, "", roles, employee)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// payslip returns the payslip of the employee 456.
func payslip() event.Event {
	e, err := event.PayslipReady("2026-11", 456, "2100.50")
	if err != nil {
		panic(err)
	}
	e.Actor = "service:erp"
	return e
}

// withActor returns the example event of a type with an actor.
func withActor(t event.Type) event.Event {
	e := event.Example(t)
	e.Actor = "service:erp"
	return e
}

// The test has the visibility table a second time, written by hand: for each role, the
// fields of the example that it does not see, or "no" when it does not see the event.
func TestEachRoleSeesTheFieldsOfTheTable(t *testing.T) {
	// The fields that some roles do not see, by the kind of event.
	payment := "payment_id amount currency payment_method invoice_number balance_due"
	rental := "customer total_amount currency notes"
	overdue := "customer customer_phone amount_outstanding currency"
	position := "latitude longitude accuracy_m speed_kmh heading_deg"
	for typ, want := range map[event.Type]map[Role]string{
		event.TypeRentalStatusUpdated: {
			Dispatcher: "", Yard: rental, HR: "no", Manager: "", Admin: rental,
		},
		event.TypePaymentReceived: {
			Dispatcher: payment, Yard: "no", HR: "no", Manager: "", Admin: payment,
		},
		event.TypeMaintenanceRequired: {
			Dispatcher: "", Yard: "estimated_cost currency", HR: "no", Manager: "", Admin: "estimated_cost currency",
		},
		event.TypeRentalOverdue: {
			Dispatcher: "", Yard: overdue, HR: "no", Manager: "", Admin: overdue,
		},
		event.TypeEquipmentLocationUpdated: {
			Dispatcher: "", Yard: position, HR: "no", Manager: "", Admin: position,
		},
		event.TypeTimesheetUpdated: {
			Dispatcher: "no", Yard: "no", HR: "", Manager: "", Admin: "no",
		},
		event.TypePayrollProcessed: {
			Dispatcher: "no", Yard: "no", HR: "", Manager: "currency total_net", Admin: "no",
		},
		event.TypeLeaveRequestUpdated: {
			Dispatcher: "days leave_type reason ACTOR", Yard: "no", HR: "", Manager: "leave_type reason", Admin: "no",
		},
		event.TypeSystemNotification: {
			Dispatcher: "", Yard: "", HR: "", Manager: "", Admin: "",
		},
		event.TypeSyncProgress: {
			Dispatcher: "no", Yard: "no", HR: "no", Manager: "no", Admin: "",
		},
	} {
		want[Service] = "no"
		for _, role := range Roles {
			if got := hiddenFields(grant(t, "99", 0, role), withActor(typ)); got != want[role] {
				t.Errorf("%s for %s: missing %q, want %q", typ, role, got, want[role])
			}
		}
		nobody := "no"
		if typ == event.TypeSystemNotification {
			nobody = ""
		}
		if got := hiddenFields(grant(t, "99", 0), withActor(typ)); got != nobody {
			t.Errorf("%s without a role: missing %q", typ, got)
		}
	}
}

// hiddenFields returns the fields of e that g does not see, or "no" when g does not see e.
func hiddenFields(g Grant, e event.Event) string {
	seen, ok := Redact(g, e)
	if !ok {
		return "no"
	}
	var names []string
	for _, f := range e.Data {
		if !seen.Data.Has(f.Name) {
			names = append(names, f.Name)
		}
	}
	if seen.Actor == "" {
		names = append(names, "ACTOR")
	}
	return strings.Join(names, " ")
}

func TestPersonsSeeTheEventsAboutThem(t *testing.T) {
	run, slip := withActor(event.TypePayrollProcessed), payslip()
	sam := grant(t, "7", 456)
	for _, c := range []struct {
		name string
		g    Grant
		e    event.Event
		want string
	}{
		{"own payslip", sam, slip, ""},
		{"another's payslip", grant(t, "8", 457), slip, "no"},
		{"payslip for hr", grant(t, "3", 0, HR), slip, ""},
		{"payslip for a manager", grant(t, "4", 0, Manager), slip, "no"},
		{"a manager's own payslip", grant(t, "4", 456, Manager), slip, ""},
		{"run for an employee", sam, run, "no"},
		{"own time sheet", sam, withActor(event.TypeTimesheetUpdated), ""},
		{"own leave", sam, withActor(event.TypeLeaveRequestUpdated), ""},
		{"a role comes before the person", grant(t, "7", 456, Dispatcher), withActor(event.TypeLeaveRequestUpdated),
			"days leave_type reason ACTOR"},
		{"own sync", grant(t, "5", 0, Yard), withActor(event.TypeSyncProgress), ""},
		{"a service is no user", grant(t, "5", 0, Service), withActor(event.TypeSyncProgress), "no"},
		{"two roles, field by field", grant(t, "5", 0, Yard, Dispatcher), withActor(event.TypeRentalStatusUpdated), ""},
	} {
		if got := hiddenFields(c.g, c.e); got != c.want {
			t.Errorf("%s: missing %q, want %q", c.name, got, c.want)
		}
		_, inPerson := RedactForPerson(c.g, c.e)
		keys := PersonKeysOfGrant(c.g)
		found := slices.ContainsFunc(PersonKeysOfEvent(c.e), func(k string) bool { return slices.Contains(keys, k) })
		if inPerson && !found {
			t.Errorf("%s: the hub would not find the person", c.name)
		}
	}
}

func TestOnlyTheAudienceSeesANotification(t *testing.T) {
	e, err := event.New(event.TypeSystemNotification, map[string]any{"message": "m",
		"audience": []string{"yard", "hr"}})
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[Role]bool{
		Yard: true, HR: true, Admin: true, Manager: false, Dispatcher: false, Service: false,
	} {
		if _, ok := Redact(grant(t, "1", 0, role), e); ok != want {
			t.Errorf("%s: %v", role, ok)
		}
	}
	if _, ok := Redact(grant(t, "7", 456), e); ok {
		t.Error("an employee without a role sees a message for others")
	}
}

func TestUndeclaredFieldsAreNeverShown(t *testing.T) {
	e := withActor(event.TypeRentalStatusUpdated)
	e.Data = e.Data.With("secret", []byte("1"))
	if seen, _ := Redact(grant(t, "1", 0, Manager), e); seen.Data.Has("secret") {
		t.Error("shown")
	}
	if !e.Data.Has("secret") {
		t.Error("Redact changed its argument")
	}
}

func TestCanPublishFollowsTheTable(t *testing.T) {
	rental := []event.Type{event.TypeRentalStatusUpdated, event.TypePaymentReceived, event.TypeRentalOverdue}
	equipment := []event.Type{event.TypeMaintenanceRequired, event.TypeEquipmentLocationUpdated}
	employee := []event.Type{event.TypeTimesheetUpdated, event.TypePayrollProcessed, event.TypeLeaveRequestUpdated}
	for role, may := range map[Role][]event.Type{
		Service:    event.Types,
		Admin:      event.Types,
		Manager:    slices.Concat(rental, equipment),
		Dispatcher: slices.Concat(rental, equipment),
		Yard:       equipment,
		HR:         employee,
	} {
		for _, typ := range event.Types {
			if got := CanPublish(grant(t, "1", 0, role), typ); got != slices.Contains(may, typ) {
				t.Errorf("%s publishes %s: %v", role, typ, got)
			}
		}
	}
	if CanPublish(grant(t, "1", 0, Admin), "unknown") || CanPublish(grant(t, "7", 456), event.TypeTimesheetUpdated) {
		t.Error("allowed what nobody may")
	}
}

func TestNewGrantNormalisesAndRefuses(t *testing.T) {
	g := grant(t, "7", 456, Yard, HR, Yard)
	if len(g.Roles) != 2 || g.ID() != grant(t, "7", 456, HR, Yard).ID() {
		t.Errorf("not normalised: %v", g)
	}
	ids := map[string]bool{g.ID(): true}
	for _, other := range []Grant{
		grant(t, "8", 456, Yard, HR),
		grant(t, "7", 457, Yard, HR),
		grant(t, "7", 456, Yard),
		grant(t, "7", 0, Yard, HR),
	} {
		if ids[other.ID()] {
			t.Errorf("same id: %v", other)
		}
		ids[other.ID()] = true
	}
	if g.Actor() != "user:7" || grant(t, "erp", 0, Service).Actor() != "service:erp" {
		t.Error("actor")
	}
	for _, bad := range []struct {
		user     string
		role     Role
		employee int64
	}{
		{"", Yard, 0},
		{"a\n", Yard, 0},
		{"a\u0085", Yard, 0},
		{"a\xff", Yard, 0},
		{strings.Repeat("a", 256), Yard, 0},
		{"a", "boss", 0},
		{"a", Yard, -1},
	} {
		if _, err := NewGrant(bad.user, "", []Role{bad.role}, bad.employee); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
	for _, user := range []string{"CN=John Smith,OU=Yard", " ", strings.Repeat("a", 255), "Jöhn"} {
		if g, err := NewGrant(user, "", nil, 0); err != nil || g.User != user {
			t.Errorf("%q became %q, %v", user, g.User, err)
		}
	}
}

func TestTableCoversTheVocabulary(t *testing.T) {
	spec, _ := event.Spec(event.TypeSystemNotification, "audience")
	for _, name := range spec.Enum {
		if !slices.Contains(Roles, Role(name)) {
			t.Errorf("audience %q is no role", name)
		}
	}
	for _, typ := range event.Types {
		if Table[typ].Roles == nil {
			t.Errorf("no rule for %s", typ)
		}
		for role, s := range Table[typ].Roles {
			for _, name := range slices.Concat(s.HiddenFields, s.OnlyFields) {
				if _, ok := event.Spec(typ, name); !ok {
					t.Errorf("%s for %s names %s, which does not exist", typ, role, name)
				}
			}
		}
	}
}
