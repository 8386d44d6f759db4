package pages

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// render is the app's markup in a state, at a path.
func render(path string, s live.State) string {
	r := &Root{Live: live.New(nil, live.Environment{}), path: path, state: s}
	return app.HTMLString(r.Render())
}

func signedIn(roles ...access.Role) live.State {
	return live.State{Phase: live.SignedIn, User: wasmclient.User{ID: "1", Name: "somebody", Roles: roles},
		View: wasmclient.View{Status: conn.Status{State: conn.Live}, Connected: true, Figures: map[string]projection.Figure{}}}
}

func TestPages(t *testing.T) {
	for name, c := range map[string]struct {
		html string
		has  []string
		not  []string
	}{
		"before the first word": {render("", live.State{}), []string{`data-page="loading"`, "skeleton"}, []string{"data-status"}},
		"broker away":           {render("/", live.State{Phase: live.Failed}), []string{"The broker cannot be reached"}, nil},
		"signed out": {render("/", live.State{Phase: live.SignedOut, Users: []string{"yard"}, Failure: "No."}),
			[]string{`data-page="sign-in"`, `data-user="yard"`, "No."}, []string{"data-status", `href="/sse-test"`}},
		"password": {render("/", live.State{Phase: live.SignedOut, SignIn: "password", Failure: "No."}),
			[]string{`autocomplete="username"`, `autocomplete="current-password"`, "No.", `for="sign-in-user"`}, []string{"data-user"}},
		"still signed in": {render("/", live.State{Phase: live.SignedOut, SignIn: "provider",
			Warning: &wasmclient.Warning{Code: "still_signed_in", Title: "You are still signed in",
				Detail: "Sign out there."}}),
			[]string{"You are still signed in. Sign out there. (still_signed_in)", "Stay signed in"}, nil},
		"gateway": {render("/", live.State{Phase: live.Failed, GatewaySignIn: true}), []string{"A sign-in page answers",
			`id="sign-in-again"`}, nil},
		"provider": {render("/", live.State{Phase: live.SignedOut, SignIn: "provider"}), []string{"identity provider",
			"Try again"}, []string{"<form"}},
		"dashboard": {render("/", signedIn(access.Manager)), []string{`data-page="/"`, "Live feed", "All clear", `data-status="live"`, "aria-current"}, nil},
		"emptied": {render("/", emptied()), []string{`data-lost="shown"`,
			"2 changes that you wrote here were not sent, and are lost. (storage_emptied)"}, nil},
		"not found": {render("/nope", signedIn()), []string{`data-page="not-found"`, "There is nothing here"}, nil},
		"test page": {render("/sse-test", signedIn(access.Yard)), []string{`data-page="/sse-test"`, `data-send="maintenance_required"`, "your role may not send it"}, nil},
	} {
		for _, part := range append(c.has, `role="status"`, `role="alert"`, "Skip to content") {
			require.Contains(t, c.html, part, name)
		}
		for _, part := range c.not {
			require.NotContains(t, c.html, part, name)
		}
	}
}

// emptied is the state after the browser has emptied its storage.
func emptied() live.State {
	s := signedIn(access.Manager)
	s.View.Lost = 2
	return s
}

// folded is a state after events, in their order.
func folded(t *testing.T, s live.State, all ...event.Event) live.State {
	state := projection.NewState("k")
	for i, e := range all {
		state.Apply(e.Stamp("id", at), wire.Cursor{Epoch: "k", Seq: uint64(i + 1)})
	}
	s.Entities = state.Entities()
	return s
}

var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func made(t *testing.T, typ event.Type, data map[string]any) event.Event {
	e, err := event.New(typ, data)
	require.NoError(t, err)
	return e
}

// TestMachineName is the one of the last event that has told it, whatever its
// type.
func TestMachineName(t *testing.T) {
	state := folded(t, signedIn(access.Manager),
		made(t, event.TypeMaintenanceRequired, map[string]any{"maintenance_id": "a", "equipment_id": 41, "equipment_name": "Old name", "issue": "x"}),
		made(t, event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 41, "equipment_name": "New name", "location_name": "Yard"}))
	require.Contains(t, render("/equipment/41", state), "<h1>New name</h1>")
}

// TestRoles: nobody is offered what they cannot do or will never be told of.
func TestRoles(t *testing.T) {
	sheet := made(t, event.TypeTimesheetUpdated, map[string]any{"timesheet_id": 1, "employee_id": 1, "employee_name": "Sam", "status": "submitted", "date": "2026-11-23"})
	require.Contains(t, render("/employees", folded(t, signedIn(access.HR), sheet)), "To decide")
	require.NotContains(t, render("/employees", folded(t, signedIn(access.Manager), sheet)), "To decide")
	for _, path := range []string{"/notifications", "/events"} {
		yard, hr := render(path, signedIn(access.Yard)), render(path, signedIn(access.HR))
		require.Contains(t, yard, "Maintenance required", path)
		require.NotContains(t, yard, "Payroll processed", path)
		require.Contains(t, hr, "Payroll processed", path)
		require.NotContains(t, hr, "Maintenance required", path)
	}
	require.True(t, opens("/admin", signedIn(access.Admin).User.Grant()))
	require.False(t, opens("/admin", signedIn(access.Manager).User.Grant()))
	require.False(t, opens("", signedIn(access.Admin).User.Grant()))
}

// TestFormsSubmitNothing: when the program has ended, a browser that submits a form must not put its fields into the
// address.
func TestFormsSubmitNothing(t *testing.T) {
	signInPage := live.State{Phase: live.SignedOut, SignIn: "password"}
	editing := &Root{Live: live.New(nil, live.Environment{}), path: "/sse-test", state: signedIn(access.Admin),
		test: testPage{typ: event.TypePaymentReceived}}
	asking := &Root{Live: live.New(nil, live.Environment{}), path: "/", state: signedIn(access.Manager)}
	asking.dialog = &dialog{body: ui.Form{ID: "ask", Type: event.TypePaymentReceived}.Render}
	for _, html := range []string{render("/", signInPage), render("/events", signedIn(access.Manager)),
		app.HTMLString(editing.Render()), app.HTMLString(asking.Render())} {
		forms := regexp.MustCompile(`<form[^>]*>`).FindAllString(html, -1)
		require.NotEmpty(t, forms)
		for _, form := range forms {
			require.Contains(t, form, `method="dialog"`)
		}
	}
	source, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range source {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		require.False(t, !strings.HasSuffix(name, "_test.go") && strings.Contains(string(raw), `El("form"`),
			"%s makes a form without ui.Submit", name)
	}
}

// TestUnknownSubject, of which an offline browser knows nothing, offers nothing.
func TestUnknownSubject(t *testing.T) {
	html := render("/rentals/999", signedIn(access.Manager))
	require.Contains(t, html, "Nothing known yet")
	require.NotContains(t, html, "Record a payment")
}

// TestActionsStand while what was sent about their thing is on its way.
func TestActionsStand(t *testing.T) {
	state := folded(t, signedIn(access.Manager), made(t, event.TypeRentalStatusUpdated, map[string]any{"rental_id": 4, "status": "active"}))
	off := func() bool {
		html := render("/rentals", state)
		return strings.Count(html, "aria-disabled") > strings.Count(html, `aria-disabled="false"`)
	}
	require.False(t, off())
	state.View.Cursor = wire.Cursor{Epoch: "k", Seq: 1}
	for _, c := range []struct {
		item   outbox.Item
		stands bool
	}{
		{outbox.Item{State: outbox.Queued}, true}, {outbox.Item{State: outbox.Sent, Cursor: wire.Cursor{Epoch: "k", Seq: 2}}, true}, {outbox.Item{State: outbox.Sent, Cursor: wire.Cursor{Epoch: "k", Seq: 1}}, false},
		{outbox.Item{State: outbox.Rejected, Done: time.Now()}, true}, {outbox.Item{State: outbox.Rejected, Done: at}, false},
	} {
		c.item.Subject = "rental/4"
		state.View.Outbox = []outbox.Item{c.item}
		require.Equal(t, c.stands, off(), "%+v", c.item)
	}
}

// TestAnswered: a refusal is no outage.
func TestAnswered(t *testing.T) {
	for status, want := range map[int]bool{401: true, 403: true, 429: true, 502: false, 503: false} {
		require.Equal(t, want, answered(&wasmclient.Error{Status: status, FromBroker: true}), status)
		require.False(t, answered(&wasmclient.Error{Status: status}), "a proxy's %d", status)
	}
	require.False(t, answered(context.DeadlineExceeded))
}

func TestCSV(t *testing.T) {
	e := made(t, event.TypeRentalStatusUpdated, map[string]any{"rental_id": 4, "status": "active", "customer": `=1+1, "Ann"`, "notes": "-5"})
	e = e.Stamp("id", at)
	require.Equal(t, "\ufefftime,type,severity,subject,id,cursor,actor,customer,notes,rental_id,status\r\n"+
		"2026-11-23T12:00:00Z,rental_status_updated,info,rental/4,id,,,\"'=1+1, \"\"Ann\"\"\",-5,4,active\r\n",
		asCSV([]store.Received{{Event: e}}, false))
	paid := made(t, event.TypePaymentReceived, map[string]any{"rental_id": 4, "amount": 10.05, "payment_method": "cash",
		"invoice_number": "10.05"})
	require.Equal(t, "\ufefftime;type;severity;subject;id;cursor;actor;amount;invoice_number;payment_method;"+
		"rental_id\r\n2026-11-23T12:00:00Z;payment_received;success;rental/4;id;;;\"10,05\";10.05;cash;4\r\n",
		asCSV([]store.Received{{Event: paid.Stamp("id", at)}}, true), "decimal commas, and no day in May")
	for value, want := range map[string]string{"-5": "-5", "-1,5": `"-1,5"`, "-5+cmd": "'-5+cmd", "+49 30": "'+49 30",
		" =1": "' =1", "\t=1": "'\t=1",
		"\n@x": "\"'\n@x\"", "＝1": "'＝1", "a;b": `"a;b"`, "": "", "Müller – Łódź": "Müller – Łódź",
		"\ufeff=1": "'\ufeff=1"} {
		require.Equal(t, want, cell(value), "%q", value)
	}
}

func TestAttention(t *testing.T) {
	state := projection.NewState("k")
	for i, data := range []struct {
		typ  event.Type
		data map[string]any
	}{
		{event.TypeTimesheetUpdated, map[string]any{"employee_id": 1, "employee_name": "Sam", "status": "submitted", "date": "2026-11-23"}},
		{event.TypeMaintenanceRequired, map[string]any{"equipment_name": "Crane", "issue": "Oil", "blocks_rental": true}},
		{event.TypeMaintenanceRequired, map[string]any{"equipment_name": "Lift", "issue": "Tyre"}},
		{event.TypeMaintenanceRequired, map[string]any{"equipment_name": "Mended", "issue": "Tyre", "status": "resolved"}},
		{event.TypeRentalOverdue, map[string]any{"rental_id": 4, "days_overdue": 2}},
		{event.TypeRentalStatusUpdated, map[string]any{"rental_id": 5, "status": "active"}},
	} {
		e, err := event.New(data.typ, data.data)
		require.NoError(t, err)
		state.Apply(e.Stamp("id", at), wire.Cursor{Epoch: "k", Seq: uint64(i + 1)})
	}
	var titles []string
	for _, m := range attention(state.Entities()) {
		titles = append(titles, m.title)
	}
	require.Equal(t, []string{"Rental #4 is 2 days overdue", "Crane", "Timesheet submitted: Sam, 2026-11-23", "Lift"}, titles)
}

// TestRefusedDevice shows the time since when the push service refuses the device, and advice. A refusal of the broker
// is no device's.
func TestRefusedDevice(t *testing.T) {
	for status, want := range map[int]string{401: "Tell your administrator", 403: "Tell your administrator",
		400: "turn it on again"} {
		r := &Root{Live: live.New(nil, live.Environment{}), path: "/notifications", state: signedIn(access.Manager)}
		r.wishes.devices = []wasmclient.Device{{ID: "a", Name: "Tablet", Created: at,
			Failing: &wasmclient.Failing{Since: at, Status: status}}, {ID: "b", Name: "Phone", Created: at}}
		html := app.HTMLString(r.Render())
		require.Contains(t, html, want)
		require.Equal(t, 1, strings.Count(html, "refuses messages to this device since 2026-11-23"), status)
	}
}

// TestUserWithoutAName is shown by the id, because an identity provider's token may lack the claim name.
func TestUserWithoutAName(t *testing.T) {
	require.Equal(t, "auth0|a_b", userName(wasmclient.User{ID: "auth0|a_b"}))
	require.Equal(t, "Ann lee", userName(wasmclient.User{ID: "7", Name: "ann_lee"}))
}
