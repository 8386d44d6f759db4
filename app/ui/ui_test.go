package ui

import (
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func status(s conn.Status) Status {
	return Status{View: wasmclient.View{Status: s, Connected: s.State == conn.Live}, Transitions: []wasmclient.Transition{{Status: s}}, Now: now}
}

var states = []conn.State{conn.Connecting, conn.Live, conn.Reconnecting, conn.Offline, conn.Paused, conn.Stale, conn.Denied, conn.Disconnected, conn.Limited}

// TestStatusNamesEveryState: the names are a contract, and no state is told
// by colour alone.
func TestStatusNamesEveryState(t *testing.T) {
	for _, state := range states {
		s := status(conn.Status{State: state})
		for _, html := range []string{app.HTMLString(s.Compact()), app.HTMLString(s.Panel(Actions{}))} {
			require.Contains(t, html, `data-status="`+string(state)+`"`)
			require.Contains(t, html, `data-tab="alone"`)
			require.Contains(t, html, stateWords[state].glyph)
		}
		require.NotEmpty(t, Words(s.View.Status))
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
}

func received(e event.Event) store.Received {
	e.ID, e.Cursor = "id-1", "k-1"
	return store.Received{Event: e.Stamp("", now), Received: now}
}

func TestFeed(t *testing.T) {
	e, err := event.RentalStatusUpdated(7, "active", "<script>")
	require.NoError(t, err)
	html := app.HTMLString(Feed([]store.Received{received(e)}, access.Grant{}, 0))
	for _, part := range []string{`data-event="id-1"`, `data-type="rental_status_updated"`, `data-cursor="k-1"`, "Rental #7: active", "rental/7"} {
		require.Contains(t, html, part)
	}
	require.NotContains(t, html, "<script>")
	require.Contains(t, app.HTMLString(Feed(nil, access.Grant{}, 0)), "Nothing has happened yet")
	slip, err := event.PayslipReady("2026-11", 456, "2100")
	require.NoError(t, err)
	html = app.HTMLString(Feed([]store.Received{received(slip)}, access.Grant{User: "7", Employee: 456}, 0))
	require.Contains(t, html, "Your payslip for 2026-11 is ready")
	require.NotContains(t, html, "2100")
}

func TestDescribe(t *testing.T) {
	e, err := event.New(event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 3, "location_name": "Yard", "movement": "parked"})
	require.NoError(t, err)
	require.Equal(t, "Equipment #3 · Parked · Yard", Describe(e, false))
}

func TestFigures(t *testing.T) {
	html := app.HTMLString(Figures(map[string]projection.Value{"active_rentals": {Count: 3}, "revenue_today": {Money: map[string]event.Money{"EUR": 123456700}}}, "EUR", time.Time{}))
	require.Contains(t, html, `data-figure="active_rentals"`)
	require.Contains(t, html, `data-value="3"`)
	require.Contains(t, html, `data-value="EUR 1234567"`)
	require.Contains(t, html, "EUR\u00a01\u202f234\u202f567")
	require.NotContains(t, html, "Overdue", "a figure that the role may not see has no card")
	require.Contains(t, app.HTMLString(Figures(map[string]projection.Value{"active_rentals": {}}, "EUR", now)), "as of ")
	require.Equal(t, "EUR\u00a00", figureText(projection.Value{Money: map[string]event.Money{}}, "EUR"))
	require.Equal(t, "EUR\u00a0-1\u202f500.50, USD\u00a07", groupThousands("EUR -1500.50, USD 7"))
}

func TestToasts(t *testing.T) {
	html := app.HTMLString(Toasts([]toast.Toast{{ID: "a", Severity: event.Error, Text: "Late"}}, 4, func(toast.Toast) {}, func(bool) {}))
	for _, part := range []string{`data-toast="a"`, `data-severity="error"`, "Dismiss: Late", "+4 more"} {
		require.Contains(t, html, part)
	}
}

func TestLabel(t *testing.T) {
	require.Equal(t, "Payment received", Label("payment_received"))
	require.Equal(t, "HR", Label("hr"))
	require.Equal(t, "", Label(""))
}
