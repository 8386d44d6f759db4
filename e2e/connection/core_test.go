package connection

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// Broker and edge pass the same cases.
func TestBrokerAndEdgeServeClientsAlike(t *testing.T) {
	for _, kind := range stack.Kinds {
		for name, test := range map[string]func(*testing.T, *stack.Stack){
			"two tabs": coreTabs, "resume": coreResume, "roles": coreRoles, "fallback": coreFallback} {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, stack.StartOn(t, kind)) })
		}
	}
}

// coreTabs: what is published is in both tabs, with a toast where the focus
// is, and in one that opens later.
func coreTabs(t *testing.T, s *stack.Stack) {
	u := browser.NewUser(t)
	sender := testkit.Open(s, u, "dispatcher", "/sse-test")
	watcher := testkit.Open(s, u, "dispatcher", "/")
	sender.Show()
	sender.Click(`[data-send="rental_status_updated"]`)
	const row = `document.querySelector('[data-event][data-type="rental_status_updated"]')`
	for _, tab := range []*browser.Tab{sender, watcher} {
		tab.Eventually(testkit.Soon, row)
	}
	id := sender.Attributes("[data-event]", "data-event")[0]
	require.Equal(t, []string{id}, watcher.Attributes("[data-event]", "data-event"))
	// A toast where the focus is, and nowhere else.
	sender.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector('[data-toast=%q]')`, id))
	require.Empty(t, watcher.Attributes("[data-toast]", "data-toast"))

	watcher.Show()
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2,"customer":"Ann"}}`)
	watcher.Eventually(
		testkit.Soon,
		`document.querySelector('[data-toast=late][data-severity=error]')?.innerText.includes("Rental #9 is 2 days overdue · Ann")`,
	)
	testkit.Shows(sender, "late")
	require.NotContains(t, sender.Attributes("[data-toast]", "data-toast"), "late")
	watcher.Eventually(testkit.Soon, `document.querySelector('[data-figure=overdue_rentals]').dataset.value === "1"`)

	// A tab that opens later has the history, and no toast of it.
	later := testkit.Open(s, u, "dispatcher", "/")
	testkit.Shows(later, "late")
	require.Equal(t, []string{"late", id}, later.Attributes("[data-event]", "data-event"))
	require.Empty(t, later.Attributes("[data-toast]", "data-toast"))
}

// coreResume kills the installation under two tabs: what is published before,
// at once after and later arrives in both, once, in order.
func coreResume(t *testing.T, s *stack.Stack) {
	u := browser.NewUser(t)
	tabs := []*browser.Tab{testkit.Open(s, u, "manager", "/"), testkit.Open(s, u, "manager", "/sse-test")}
	n := 0
	var want []string
	publish := func(count int) {
		for range count {
			n++
			id := fmt.Sprintf("e-%d", n)
			s.Publish(
				fmt.Sprintf(
					`{"type":"payment_received","id":%q,"data":{"payment_id":%d,"rental_id":1,"amount":10,"payment_method":"cash"}}`,
					id,
					n,
				),
			)
			want = append([]string{id}, want...)
		}
	}
	publish(5)
	for range 2 {
		s.Kill()
		for _, tab := range tabs {
			tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
		}
		s.Up()
		publish(4) // while the tabs wait to try again
		for _, tab := range tabs {
			tab.Eventually(testkit.ReconnectTimeout, testkit.IsLive)
		}
		publish(1)
		for _, tab := range tabs {
			testkit.Shows(tab, want[0])
			require.Equal(t, want, tab.Attributes("[data-event]", "data-event"))
		}
	}
	tabs[0].Show()
	tabs[0].Eventually(
		testkit.Soon,
		fmt.Sprintf(`document.querySelector('[data-figure=revenue_today]').dataset.value === "EUR %d"`, 10*n),
	)
}

// coreRoles: the same event is another one for who may see less, and none for
// who may not see it.
func coreRoles(t *testing.T, s *stack.Stack) {
	manager, yard, hr := testkit.Open(
		s,
		browser.NewUser(t),
		"manager",
		"/",
	), testkit.Open(
		s,
		browser.NewUser(t),
		"yard",
		"/",
	), testkit.Open(
		s,
		browser.NewUser(t),
		"hr",
		"/",
	)
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2,"customer":"Ann Smith"}}`)
	s.Publish(
		`{"type":"timesheet_updated","id":"sheet","data":{"timesheet_id":4,"employee_id":456,"employee_name":"Jo Field","status":"submitted","date":"2026-11-23"}}`,
	)
	testkit.Shows(manager, "late")
	testkit.Shows(manager, "sheet")
	testkit.Shows(hr, "sheet")
	s.Publish(`{"type":"maintenance_required","id":"after","data":{"equipment_name":"Crane","issue":"Oil"}}`)
	testkit.Shows(yard, "after")
	require.Equal(t, []string{"after", "late"}, yard.Attributes("[data-event]", "data-event"))
	require.Equal(t, []string{"sheet"}, hr.Attributes("[data-event]", "data-event"))
	const words = `document.body.innerText`
	require.Contains(t, browser.Eval[string](manager, words), "Ann Smith")
	require.NotContains(t, browser.Eval[string](yard, words), "Ann Smith")
	hr.Eventually(testkit.Soon, `document.querySelector('[data-figure=timesheets_pending]').dataset.value === "1"`)
}

// coreFallback: where streams are held back the events come by WebSocket, and
// where upgrades are refused too by long poll.
func coreFallback(t *testing.T, s *stack.Stack) {
	var h hostile
	h.holdStreams.Store(true)
	base, n := h.between(t, s), 0
	for _, by := range []string{"[data-status=live][data-transport=websocket]", "[data-status=polling][data-transport=poll]"} {
		tab := browser.NewUser(t).NewTab()
		tab.Open(base + "/")
		tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
		tab.Click("[data-user=manager]")
		tab.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector('.header %s')`, by))
		testkit.PublishNumbered(s, n, n+3)
		n += 3
		testkit.Shows(tab, fmt.Sprint("n", n-1))
		want := testkit.NumberedIDs(0, n)
		slices.Reverse(want)
		require.Equal(t, want, tab.Attributes("[data-event]", "data-event"))
		h.refuseUpgrades.Store(true)
	}
}
