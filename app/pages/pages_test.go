package pages

import (
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// render is the app's markup in a state, at a path.
func render(path string, s live.State) string {
	r := &Root{Live: live.New(nil, live.Surroundings{}), path: path, state: s}
	return app.HTMLString(r.Render())
}

func signedIn(roles ...access.Role) live.State {
	return live.State{Phase: live.SignedIn, User: wasmclient.User{ID: "1", Name: "somebody", Roles: roles},
		View: wasmclient.View{Status: conn.Status{State: conn.Live}, Connected: true, Figures: map[string]projection.Value{}}}
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
		"provider":  {render("/", live.State{Phase: live.SignedOut, SignIn: "provider"}), []string{"identity provider"}, []string{"<form"}},
		"dashboard": {render("/", signedIn(access.Manager)), []string{`data-page="/"`, "Live feed", "All clear", `data-status="live"`, "aria-current"}, nil},
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

func TestAttention(t *testing.T) {
	state := projection.New("k")
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
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
