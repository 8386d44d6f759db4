package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func status(s conn.Status) Status {
	return Status{View: wasmclient.View{Status: s, Connected: s.State == conn.Live}, Transitions: []wasmclient.Transition{{Status: s}}, Now: now}
}

var states = []conn.State{conn.Connecting, conn.Live, conn.Reconnecting, conn.Offline, conn.Paused, conn.Stale, conn.Denied, conn.Disconnected, conn.Limited, conn.Polling}

// TestStatusNamesEveryState: the names are a contract, and no state is told
// by colour alone.
func TestStatusNamesEveryState(t *testing.T) {
	for _, state := range states {
		s := status(conn.Status{State: state})
		for _, html := range []string{app.HTMLString(s.Compact()), app.HTMLString(s.Panel(Actions{}))} {
			require.Contains(t, html, `data-status="`+string(state)+`"`)
			require.Contains(t, html, `data-tab="alone"`)
			require.Contains(t, html, glyphs[state])
		}
		require.NotEmpty(t, StatusText(s.View.Status))
	}
	require.Contains(t, app.HTMLString(status(conn.Status{State: conn.Live, Transport: conn.SSE}).Compact()), `data-transport="sse"`)
	require.Contains(t, app.HTMLString(status(conn.Status{State: conn.Stale}).Compact()), `data-transport="none"`)
}

func TestBanner(t *testing.T) {
	banner := func(s conn.Status) string { return app.HTMLString(status(s).Banner(Actions{})) }
	require.NotContains(t, banner(conn.Status{State: conn.Live}), "button")
	require.Contains(t, banner(conn.Status{State: conn.Reconnecting, RetryAt: now.Add(3500 * time.Millisecond)}), "Reconnecting in 4 s")
	require.Contains(t, banner(conn.Status{State: conn.Limited, RetryAt: now.Add(20 * time.Second)}), "Server is busy Retrying in 20 s")
	require.Contains(t, banner(conn.Status{State: conn.Denied, Code: "sign_in_required"}), "Session expired. Sign in again.")
	require.Contains(t, banner(conn.Status{State: conn.Denied, Code: "forbidden"}), "Ask your administrator")
	require.Contains(t, banner(conn.Status{State: conn.Denied, Code: "forbidden"}), "(forbidden)")
	require.NotContains(t, banner(conn.Status{State: conn.Paused, Code: "hidden"}), "(hidden)")
	require.Contains(t, banner(conn.Status{State: conn.Denied, Code: "invalid_token"}), "no longer accepted")
	require.Contains(t, banner(conn.Status{State: conn.Reconnecting, Code: conn.LoginRedirect,
		RetryAt: now.Add(time.Second)}), "A sign-in page answers in the broker’s place")
	for _, code := range []string{"http_403", "http_401", "http_204", "not_a_stream"} {
		require.Contains(t, banner(conn.Status{State: conn.Reconnecting, Code: code, RetryAt: now.Add(time.Second)}),
			"answers in its place. ("+code+")")
	}
	require.Contains(t, app.HTMLString(status(conn.Status{State: conn.Reconnecting}).Panel(Actions{})), "Retry now")
}

// TestSignedOutIsSaidOnlyOfThat: a refusal of rights is another thing.
func TestSignedOutIsSaidOnlyOfThat(t *testing.T) {
	for code, want := range map[string]string{"sign_in_required": "Signed out", "signed_out": "Signed out",
		"invalid_token": "Signed out", "forbidden": "No access"} {
		require.Contains(t, app.HTMLString(status(conn.Status{State: conn.Denied, Code: code}).Compact()), want, code)
	}
	for _, state := range states {
		if state != conn.Denied {
			require.NotContains(t, app.HTMLString(status(conn.Status{State: state, Code: "http_403"}).Compact()),
				"Signed out", state)
		}
	}
}

func received(e event.Event) store.Received {
	e.ID, e.Cursor = "id-1", "k-1"
	return store.Received{Event: e.Stamp("", now), Received: now}
}

func TestFeed(t *testing.T) {
	e, err := event.RentalStatusUpdated(7, "active", "<script>")
	require.NoError(t, err)
	html := app.HTMLString(Feed{Events: []store.Received{received(e)}, Now: now}.All())
	for _, part := range []string{`data-event="id-1"`, `data-type="rental_status_updated"`, `data-cursor="k-1"`, "Rental #7: active", "rental/7"} {
		require.Contains(t, html, part)
	}
	require.NotContains(t, html, "<script>")
	require.Contains(t, app.HTMLString(Feed{}.All()), "Nothing has happened yet")
	slip, err := event.PayslipReady("2026-11", 456, "2100")
	require.NoError(t, err)
	html = app.HTMLString(Feed{Events: []store.Received{received(slip)}, Grant: access.Grant{User: "7", Employee: 456}, Now: now}.All())
	require.Contains(t, html, "Your payslip for 2026-11 is ready")
	require.NotContains(t, html, "2100")
}

func TestDescribe(t *testing.T) {
	e, err := event.New(event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 3, "location_name": "Yard", "movement": "parked"})
	require.NoError(t, err)
	require.Equal(t, "Machine #3 · Parked · Yard", Describe(e, false))
}

func TestFigures(t *testing.T) {
	figures := map[string]projection.Figure{"active_rentals": {Count: 3},
		"revenue_today":     {Money: map[string]event.Money{"EUR": 1234567 * event.MoneyUnit}},
		"utilisation_pct":   {Count: 42},
		"payroll_run_state": {State: "processing", Done: 3, Total: 40}, "sync_state": {State: "none"}}
	trends := map[string]Trend{"active_rentals": {now.Add(-time.Hour), []float64{1, 2, 3}}}
	html := app.HTMLString(Figures(figures, "EUR", trends, time.Time{}, now))
	for _, part := range []string{`data-figure="active_rentals"`, `data-value="3"`, `data-value="EUR 1234567"`, "EUR\u00a01234567", "42%", "3 of 40", `data-value="processing 3/40"`, "▲ 2 since", "polyline", "nothing runs"} {
		require.Contains(t, html, part)
	}
	require.NotContains(t, html, "overdue_rentals", "a figure that the role may not see has no card")
	require.Contains(t, app.HTMLString(Figures(map[string]projection.Figure{"active_rentals": {}}, "EUR", nil, now, now)), "as of ")
	require.Equal(t, "EUR\u00a00", figureText("revenue_today", projection.Figure{Money: map[string]event.Money{}}, "EUR"))
}

func TestEveryFigureIsShown(t *testing.T) {
	shown := map[string]bool{}
	for _, f := range figureSpecs {
		shown[f.key] = true
		require.NotContains(t, text.Of("figure."+f.key)+text.Of("figure."+f.key+".hint"), "⟨")
	}
	for key := range access.FigureRoles {
		require.True(t, shown[key], key)
	}
}

// TestCollapse: one row a machine and a sync, with how many it stands for.
func TestCollapse(t *testing.T) {
	var events []store.Received
	for i := range 500 {
		e, err := event.New(event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 1 + i%3, "location_name": "L"})
		require.NoError(t, err)
		events = append(events, received(e))
	}
	rows := Collapse(append(events, received(event.Example(event.TypeRentalOverdue)), received(event.Example(event.TypeRentalOverdue))))
	require.Len(t, rows, 5)
	require.Equal(t, 167, rows[0].Times)
	require.Contains(t, app.HTMLString(Feed{Events: events, Now: now}.Collapsed()), "×167")
}

func TestDrawer(t *testing.T) {
	html := app.HTMLString(Drawer(received(event.Example(event.TypePaymentReceived)).Event, false, now))
	for _, part := range []string{"Payment received: EUR", "INV-2026-881", `href="/rentals/123"`, "As JSON", "Credit card"} {
		require.Contains(t, html, part)
	}
}

// TestForm: a control for each field of each type, with a label, and the problem
// where it belongs.
func TestForm(t *testing.T) {
	for _, typ := range event.Types {
		_, err := event.New(typ, map[string]any{})
		var problem *event.Problem
		require.ErrorAs(t, err, &problem, typ)
		html := app.HTMLString(Form{ID: "f", Type: typ, Problem: problem, Action: "Go", Send: func() {}}.Render())
		for _, f := range event.Fields(typ) {
			require.Contains(t, html, `id="f-`+f.Name+`"`)
			require.Contains(t, html, `for="f-`+f.Name+`"`)
		}
		require.Contains(t, html, `role="alert"`, typ)
	}
	_, err := event.New(event.TypePaymentReceived, map[string]any{})
	var problem *event.Problem
	require.ErrorAs(t, err, &problem)
	require.NotRegexp(t, `f-amount-hint"[^>]*>[^<]`, app.HTMLString(Form{ID: "f", Type: event.TypePaymentReceived, Problem: problem, Send: func() {}}.Render()), "the problem says it")
	html := app.HTMLString(Form{ID: "f", Type: event.TypeMaintenanceRequired, Fixed: []string{"equipment_name"}, Send: func() {}, Cancel: func() {}}.Render())
	require.NotContains(t, html, "f-equipment_name")
	require.Contains(t, html, "Cancel")
}

func TestEncode(t *testing.T) {
	spec := func(typ event.Type, name string) event.FieldSpec { s, _ := event.Spec(typ, name); return s }
	for _, c := range []struct {
		spec        event.FieldSpec
		value, want string
	}{
		{spec(event.TypePaymentReceived, "amount"), "12,50", "12.50"}, {spec(event.TypePaymentReceived, "amount"), "1.5x", `"1.5x"`},
		{spec(event.TypeRentalStatusUpdated, "equipment_ids"), "7, 9", "[7, 9]"}, {spec(event.TypeSystemNotification, "audience"), "yard, hr", `["yard","hr"]`},
		{spec(event.TypePaymentReceived, "payment_id"), "77", "77"}, {spec(event.TypePaymentReceived, "payment_id"), "P-7", `"P-7"`},
		{spec(event.TypeRentalStatusUpdated, "customer"), "Ann", `"Ann"`},
	} {
		require.Equal(t, c.want, string(encode(c.spec, c.value)))
	}
}

func TestCharts(t *testing.T) {
	require.NotContains(t, app.HTMLString(Sparkline([]float64{1})), "polyline")
	require.Contains(t, app.HTMLString(Columns([]int{1, 5, 2}, "3 minutes")), `aria-label="3 minutes"`)
	html := app.HTMLString(Shares([]Share{{"a", 1, "1"}, {"b", 4, "4"}}))
	require.Less(t, strings.Index(html, ">b<"), strings.Index(html, ">a<"))
	require.Contains(t, app.HTMLString(Shares(nil)), "Nothing in the last hour")
}

// TestPlan: machines at one place are one mark, what is down is told by more
// than its colour, and all of it stays on the sheet.
func TestPlan(t *testing.T) {
	places := []Place{{ID: "1", Name: "A", Latitude: 52.5, Longitude: 13.4, Site: "Yard"}, {ID: "2", Name: "B", Latitude: 52.5, Longitude: 13.4, Site: "Yard"},
		{ID: "3", Name: "C", Latitude: 52.6, Longitude: 13.5, Site: "Mitte", Down: true}}
	html := app.HTMLString(Plan(places))
	require.Contains(t, html, "Plan of 3 machines at 2 sites")
	require.Equal(t, 2, strings.Count(html, "plan-mark"))
	require.Contains(t, html, "plan-down")
	v := fit(places)
	for _, p := range places {
		x, y := v.at(p)
		require.True(t, x > 0 && x < planWidth && y > 0 && y < planHeight)
	}
	require.Contains(t, app.HTMLString(Plan(nil)), "No positions")
	require.Contains(t, app.HTMLString(Plan(places[:1])), "plan-mark")
}

func TestOutbox(t *testing.T) {
	require.Contains(t, app.HTMLString(Outbox(nil, "tab", nil, nil)), "Nothing sent yet")
	data := event.Example(event.TypeRentalOverdue).Data
	item := func(id string, state outbox.State) outbox.Item {
		return outbox.Item{ID: id, Type: event.TypeRentalOverdue, Data: data, Tab: "tab", State: state, Written: now, Done: now.Add(time.Second)}
	}
	moved := item("c", outbox.Rejected)
	moved.Code, moved.Problem, moved.Tab = wasmclient.EntityMoved, "It has changed.", "other"
	html := app.HTMLString(Outbox([]outbox.Item{item("a", outbox.Sent), item("b", outbox.Queued), moved}, "tab", func(string) {}, func(string) {}))
	for _, part := range []string{`data-outbox="sent"`, `data-outbox="queued"`, `data-outbox="rejected"`, "took 1000 ms", "Waiting to be sent", "It has changed.", "Send anyway", "Discard", "from another tab"} {
		require.Contains(t, html, part)
	}
	require.Less(t, strings.Index(html, `data-item="c"`), strings.Index(html, `data-item="a"`), "newest first")
}

func TestChoice(t *testing.T) {
	html := app.HTMLString(Select("c", "Theme", []Option{{"", "System"}, {"dark", "Dark"}}, "dark", nil))
	for _, part := range []string{`for="c"`, "Theme", `value="-"`, "System"} {
		require.Contains(t, html, part)
	}
	require.Equal(t, 1, strings.Count(html, " selected")-strings.Count(html, ` selected="false"`))
}

// TestFieldText writes values as the reader does, and ids as they are.
func TestFieldText(t *testing.T) {
	text.SetCurrency("EUR")
	defer text.SetCurrency("")
	e, err := event.New(event.TypeTimesheetUpdated, map[string]any{"timesheet_id": 12345, "employee_id": 1, "status": "draft", "date": "2026-11-23", "hours_worked": 7.5})
	require.NoError(t, err)
	require.Equal(t, "7.50", FieldText(e.Type, e.Data, "hours_worked"), "text.Decimal outside a browser")
	require.Equal(t, "12345", FieldText(e.Type, e.Data, "timesheet_id"))
	paid, err := event.New(event.TypePaymentReceived, map[string]any{"rental_id": 1, "amount": 5, "payment_method": "cash"})
	require.NoError(t, err)
	require.Equal(t, "EUR\u00a05", FieldText(paid.Type, paid.Data, "amount"))
}

func TestToasts(t *testing.T) {
	html := app.HTMLString(Toasts([]toast.Toast{{ID: "a", Severity: event.Error, Text: "Late"}}, 4, func(toast.Toast) {}, func() {}))
	for _, part := range []string{`data-toast="a"`, `data-severity="error"`, "Dismiss: Late", "+4 more"} {
		require.Contains(t, html, part)
	}
}
