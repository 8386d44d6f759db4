package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

func TestLatestNameOfAMachineCountsWhateverTheType(t *testing.T) {
	state := folded(t, signedIn(access.Manager),
		made(t, event.TypeMaintenanceRequired, map[string]any{
			"maintenance_id": "a", "equipment_id": 41, "equipment_name": "Old name", "issue": "x",
		}),
		made(t, event.TypeEquipmentLocationUpdated, map[string]any{
			"equipment_id": 41, "equipment_name": "New name", "location_name": "Yard",
		}))
	require.Contains(t, render("/equipment/41", state), "<h1>New name</h1>")
}

// An offline browser knows nothing of a subject that is not in its storage.
func TestUnknownSubjectOffersNoActions(t *testing.T) {
	html := render("/rentals/999", signedIn(access.Manager))
	require.Contains(t, html, "Nothing known yet")
	require.NotContains(t, html, "Record a payment")
}

func TestActionsWaitWhileAnEventOfTheirSubjectIsOnItsWay(t *testing.T) {
	active := made(t, event.TypeRentalStatusUpdated, map[string]any{"rental_id": 4, "status": "active"})
	state := folded(t, signedIn(access.Manager), active)
	waiting := func() bool {
		html := render("/rentals", state)
		return strings.Count(html, "aria-disabled") > strings.Count(html, `aria-disabled="false"`)
	}
	require.False(t, waiting())
	seen, ahead := wire.Cursor{Epoch: "k", Seq: 1}, wire.Cursor{Epoch: "k", Seq: 2}
	state.View.Cursor = seen
	for _, c := range []struct {
		item  outbox.Item
		waits bool
	}{
		{outbox.Item{State: outbox.Queued}, true},
		{outbox.Item{State: outbox.Sent, Cursor: ahead}, true},
		{outbox.Item{State: outbox.Sent, Cursor: seen}, false},
		{outbox.Item{State: outbox.Rejected, Done: time.Now()}, true},
		{outbox.Item{State: outbox.Rejected, Done: at}, false},
	} {
		c.item.Subject = "rental/4"
		state.View.Outbox = []outbox.Item{c.item}
		require.Equal(t, c.waits, waiting(), "%+v", c.item)
	}
}

func TestAttentionListsTheMostUrgentFirst(t *testing.T) {
	state := projection.NewState("k")
	for i, e := range []event.Event{
		made(t, event.TypeTimesheetUpdated, map[string]any{
			"employee_id": 1, "employee_name": "Sam", "status": "submitted", "date": "2026-11-23",
		}),
		made(t, event.TypeMaintenanceRequired, map[string]any{
			"equipment_name": "Crane", "issue": "Oil", "blocks_rental": true,
		}),
		made(t, event.TypeMaintenanceRequired, map[string]any{"equipment_name": "Lift", "issue": "Tyre"}),
		made(t, event.TypeMaintenanceRequired, map[string]any{
			"equipment_name": "Mended", "issue": "Tyre", "status": "resolved",
		}),
		made(t, event.TypeRentalOverdue, map[string]any{"rental_id": 4, "days_overdue": 2}),
		made(t, event.TypeRentalStatusUpdated, map[string]any{"rental_id": 5, "status": "active"}),
	} {
		state.Apply(e.Stamp("id", at), wire.Cursor{Epoch: "k", Seq: uint64(i + 1)})
	}
	var titles []string
	for _, item := range attentionItems(state.Entities()) {
		titles = append(titles, item.Title)
	}
	require.Equal(t, []string{
		"Rental #4 is 2 days overdue",
		"Crane",
		"Timesheet submitted: Sam, 2026-11-23",
		"Lift",
	}, titles)
}
