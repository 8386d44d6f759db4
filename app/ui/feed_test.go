package ui

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

func TestFeedEscapesTextAndHidesAmounts(t *testing.T) {
	rental, err := event.RentalStatusUpdated(7, "active", "<script>")
	require.NoError(t, err)
	markup := html(Feed{Events: []store.Received{received(rental)}, Now: now}.All())
	requireParts(t, markup, `data-event="id-1"`, `data-type="rental_status_updated"`, `data-cursor="k-1"`,
		"Rental #7: active", "rental/7")
	require.NotContains(t, markup, "<script>")

	payslip, err := event.PayslipReady("2026-11", 456, "2100")
	require.NoError(t, err)
	grant := access.Grant{User: "7", Employee: 456}
	markup = html(Feed{Events: []store.Received{received(payslip)}, Grant: grant, Now: now}.All())
	require.Contains(t, markup, "Your payslip for 2026-11 is ready")
	require.NotContains(t, markup, "2100")

	require.Contains(t, html(Feed{}.All()), "Nothing has happened yet")
}

func TestDescribeNamesMachineMovementAndPlace(t *testing.T) {
	e := made(t, event.TypeEquipmentLocationUpdated, map[string]any{
		"equipment_id": 3, "location_name": "Yard", "movement": "parked",
	})
	require.Equal(t, "Machine #3 · Parked · Yard", Describe(e, false))
}

func TestCollapsedFeedHasOneRowForEachMachineAndSync(t *testing.T) {
	var events []store.Received
	for i := range 500 {
		e := made(t, event.TypeEquipmentLocationUpdated, map[string]any{"equipment_id": 1 + i%3, "location_name": "L"})
		events = append(events, received(e))
	}
	overdue := received(event.Example(event.TypeRentalOverdue))
	rows := Collapse(append(events, overdue, overdue))
	require.Len(t, rows, 5)
	require.Equal(t, 167, rows[0].Times)
	require.Contains(t, html(Feed{Events: events, Now: now}.Collapsed()), "×167")
}

func TestDrawerShowsAllFields(t *testing.T) {
	markup := html(Drawer(received(event.Example(event.TypePaymentReceived)).Event, false, now))
	requireParts(t, markup, "Payment received: EUR", "INV-2026-881", `href="/rentals/123"`, "As JSON", "Credit card")
}

func TestFieldTextFormatsNumbersButNotIDs(t *testing.T) {
	text.SetCurrency("EUR")
	defer text.SetCurrency("")
	sheet := made(t, event.TypeTimesheetUpdated, map[string]any{
		"timesheet_id": 12345, "employee_id": 1, "status": "draft", "date": "2026-11-23", "hours_worked": 7.5,
	})
	require.Equal(t, "7.50", FieldText(sheet.Type, sheet.Data, "hours_worked"), "text.Decimal outside a browser")
	require.Equal(t, "12345", FieldText(sheet.Type, sheet.Data, "timesheet_id"))
	paid := made(t, event.TypePaymentReceived, map[string]any{"rental_id": 1, "amount": 5, "payment_method": "cash"})
	require.Equal(t, "EUR\u00a05", FieldText(paid.Type, paid.Data, "amount"))
}
