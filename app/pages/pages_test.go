package pages

import (
	"os"
	"path/filepath"
	"reflect"
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
)

// at is the time of the events of the tests.
var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// newRoot returns the app in a state, at a path.
func newRoot(path string, s live.State) *Root {
	r := NewRoot(live.New(nil, live.Environment{}))
	r.host.path, r.host.state = path, s
	return r
}

// render returns the markup of the app in a state, at a path.
func render(path string, s live.State) string { return app.HTMLString(newRoot(path, s).Render()) }

// signedIn returns the state of a user with roles who is connected and has no data.
func signedIn(roles ...access.Role) live.State {
	return live.State{
		Phase: live.SignedIn,
		User:  wasmclient.User{ID: "1", Name: "somebody", Roles: roles},
		View: wasmclient.View{
			Status:    conn.Status{State: conn.Live},
			Connected: true,
			Figures:   map[string]projection.Figure{},
		},
	}
}

// folded returns a state after events, in their order.
func folded(t *testing.T, s live.State, all ...event.Event) live.State {
	t.Helper()
	state := projection.NewState("k")
	for i, e := range all {
		state.Apply(e.Stamp("id", at), wire.Cursor{Epoch: "k", Seq: uint64(i + 1)})
	}
	s.Entities = state.Entities()
	return s
}

// made returns a valid event.
func made(t *testing.T, typ event.Type, data map[string]any) event.Event {
	t.Helper()
	e, err := event.New(typ, data)
	require.NoError(t, err)
	return e
}

func TestPagesShowTheirContent(t *testing.T) {
	emptied := signedIn(access.Manager)
	emptied.View.Lost = 2
	stillSignedIn := &wasmclient.Warning{
		Code:   "still_signed_in",
		Title:  "You are still signed in",
		Detail: "Sign out there.",
	}
	for name, c := range map[string]struct {
		path  string
		state live.State
		has   []string
		not   []string
	}{
		"nothing is known yet": {
			"", live.State{},
			[]string{`data-page="loading"`, "skeleton"},
			[]string{"data-status"},
		},
		"the broker does not answer": {
			"/", live.State{Phase: live.Failed},
			[]string{"The broker cannot be reached"},
			nil,
		},
		"signed out of a demonstration": {
			"/", live.State{Phase: live.SignedOut, Users: []string{"yard"}, Failure: "No."},
			[]string{`data-page="sign-in"`, `data-user="yard"`, "No."},
			[]string{"data-status", `href="/sse-test"`},
		},
		"sign-in by password": {
			"/", live.State{Phase: live.SignedOut, SignIn: "password", Failure: "No."},
			[]string{`autocomplete="username"`, `autocomplete="current-password"`, "No.", `for="sign-in-user"`},
			[]string{"data-user"},
		},
		"a sign-out that could not work": {
			"/", live.State{Phase: live.SignedOut, SignIn: "provider", Warning: stillSignedIn},
			[]string{"You are still signed in. Sign out there. (still_signed_in)", "Stay signed in"},
			nil,
		},
		"a gateway asks for a sign-in": {
			"/", live.State{Phase: live.Failed, GatewaySignIn: true},
			[]string{"A sign-in page answers", `id="sign-in-again"`},
			nil,
		},
		"sign-in by an identity provider": {
			"/", live.State{Phase: live.SignedOut, SignIn: "provider"},
			[]string{"identity provider", "Try again"},
			[]string{"<form"},
		},
		"the dashboard": {
			"/", signedIn(access.Manager),
			[]string{`data-page="/"`, "Live feed", "All clear", `data-status="live"`, "aria-current"},
			nil,
		},
		"the browser has emptied its storage": {
			"/", emptied,
			[]string{
				`data-lost="shown"`,
				"2 changes that you wrote here were not sent, and are lost. (storage_emptied)",
			},
			nil,
		},
		"no page of this path": {
			"/nope", signedIn(),
			[]string{`data-page="not-found"`, "There is nothing here"},
			nil,
		},
		"the test page": {
			"/sse-test", signedIn(access.Yard),
			[]string{`data-page="/sse-test"`, `data-send="maintenance_required"`, "your role may not send it"},
			nil,
		},
	} {
		html := render(c.path, c.state)
		for _, part := range append(c.has, `role="status"`, `role="alert"`, "Skip to content") {
			require.Contains(t, html, part, name)
		}
		for _, part := range c.not {
			require.NotContains(t, html, part, name)
		}
	}
}

func TestEveryRouteHasAPage(t *testing.T) {
	pages := newPages()
	require.Len(t, pages, len(routes))
	for _, r := range routes {
		require.NotNil(t, pages[r.key], r.key)
	}
}

// A page must hold nothing of the previous user. The page /admin remembers one thing more: that its goroutine runs.
func TestForgetDropsEverythingOfTheUser(t *testing.T) {
	pages := newPages()
	pages["dashboard"].(*dashboardPage).frozenNewest = "k-1"
	pages["events"].(*historyPage).problem = "Problem."
	pages["rentals"].(*rentalsPage).board.shown = "late"
	pages["rental"].(*rentalPage).subject = "rental/7"
	pages["equipment"].(*equipmentPage).board.shown = "stale"
	pages["unit"].(*machinePage).subject = "equipment/7"
	pages["employees"].(*employeesPage).board.shown = "leave"
	pages["customers"].(*customersPage).board.shown = "late"
	pages["notifications"].(*notificationsPage).deviceID = "a"
	pages["test"].(*testPage).typ = event.TypePaymentReceived
	*pages["admin"].(*adminPage) = adminPage{problem: "Problem.", polling: true}
	pages["settings"].(*settingsPage).needsReload = true
	fresh := newPages()
	fresh["admin"].(*adminPage).polling = true
	for key, p := range pages {
		keepsState := reflect.TypeOf(p).Elem().Size() > 0
		require.Equal(t, keepsState, !reflect.DeepEqual(fresh[key], p), "%s: the test sets a field of each page", key)
		p.forget()
		require.Equal(t, fresh[key], p, key)
	}
}

func TestRolesSeeOnlyWhatTheyCanUse(t *testing.T) {
	sheet := made(t, event.TypeTimesheetUpdated, map[string]any{
		"timesheet_id": 1, "employee_id": 1, "employee_name": "Sam", "status": "submitted", "date": "2026-11-23",
	})
	require.Contains(t, render("/employees", folded(t, signedIn(access.HR), sheet)), "To decide")
	require.NotContains(t, render("/employees", folded(t, signedIn(access.Manager), sheet)), "To decide")
	for _, path := range []string{"/notifications", "/events"} {
		yard, hr := render(path, signedIn(access.Yard)), render(path, signedIn(access.HR))
		require.Contains(t, yard, "Maintenance required", path)
		require.NotContains(t, yard, "Payroll processed", path)
		require.Contains(t, hr, "Payroll processed", path)
		require.NotContains(t, hr, "Maintenance required", path)
	}
	require.True(t, canOpen("/admin", signedIn(access.Admin).User.Grant()))
	require.False(t, canOpen("/admin", signedIn(access.Manager).User.Grant()))
	require.False(t, canOpen("", signedIn(access.Admin).User.Grant()))
}

// When the program has ended, a browser that submits a form must not put its fields into the address.
func TestFormsPutNoFieldIntoTheAddress(t *testing.T) {
	editing := newRoot("/sse-test", signedIn(access.Admin))
	editing.pages["test"].(*testPage).typ = event.TypePaymentReceived
	asking := newRoot("/", signedIn(access.Manager))
	asking.host.dialog = &dialog{body: ui.Form{ID: "ask", Type: event.TypePaymentReceived}.Render}
	for _, html := range []string{
		render("/", live.State{Phase: live.SignedOut, SignIn: "password"}),
		render("/events", signedIn(access.Manager)),
		app.HTMLString(editing.Render()),
		app.HTMLString(asking.Render()),
	} {
		forms := regexp.MustCompile(`<form[^>]*>`).FindAllString(html, -1)
		require.NotEmpty(t, forms)
		for _, form := range forms {
			require.Contains(t, form, `method="dialog"`)
		}
	}
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range sources {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		makesForm := !strings.HasSuffix(name, "_test.go") && strings.Contains(string(raw), `El("form"`)
		require.False(t, makesForm, "%s makes a form without ui.Submit", name)
	}
}

// An identity provider's token may lack the claim name.
func TestUserWithoutANameIsShownByTheID(t *testing.T) {
	require.Equal(t, "auth0|a_b", userName(wasmclient.User{ID: "auth0|a_b"}))
	require.Equal(t, "Ann lee", userName(wasmclient.User{ID: "7", Name: "ann_lee"}))
}
