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

// The broker and the edge must pass the same cases.
func TestBrokerAndEdgeServeClientsAlike(t *testing.T) {
	for _, kind := range stack.Kinds {
		for name, test := range map[string]func(*testing.T, *stack.Stack){
			"two tabs": testTwoTabs, "resume": testResume, "roles": testRoles, "fallback": testFallback} {
			t.Run(kind+"/"+name, func(t *testing.T) { test(t, stack.StartOn(t, kind)) })
		}
	}
}

// testTwoTabs publishes events. Both tabs must show them, only the tab with the focus must show a toast, and a tab that
// opens later must show them too.
func testTwoTabs(t *testing.T, s *stack.Stack) {
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
	// Only the tab with the focus shows a toast.
	sender.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector('[data-toast=%q]')`, id))
	require.Empty(t, watcher.Attributes("[data-toast]", "data-toast"))

	watcher.Show()
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2,"customer":"Ann"}}`)
	watcher.Eventually(
		testkit.Soon,
		`document.querySelector('[data-toast=late][data-severity=error]')
			?.innerText.includes("Rental #9 is 2 days overdue · Ann")`,
	)
	testkit.Shows(sender, "late")
	require.NotContains(t, sender.Attributes("[data-toast]", "data-toast"), "late")
	watcher.Eventually(testkit.Soon, `document.querySelector('[data-figure=overdue_rentals]').dataset.value === "1"`)

	// A tab that opens later shows the history, but no toast for it.
	later := testkit.Open(s, u, "dispatcher", "/")
	testkit.Shows(later, "late")
	require.Equal(t, []string{"late", id}, later.Attributes("[data-event]", "data-event"))
	require.Empty(t, later.Attributes("[data-toast]", "data-toast"))
}

// testResume kills and restarts the installation while two tabs are open. Both tabs must receive the events that were
// published before the kill, directly after the restart, and after the tabs were live again, each once and in order.
func testResume(t *testing.T, s *stack.Stack) {
	u := browser.NewUser(t)
	tabs := []*browser.Tab{testkit.Open(s, u, "manager", "/"), testkit.Open(s, u, "manager", "/sse-test")}
	n := 0
	var want []string
	publish := func(count int) {
		for range count {
			n++
			id := fmt.Sprintf("e-%d", n)
			const payment = `{"type":"payment_received","id":%q,` +
				`"data":{"payment_id":%d,"rental_id":1,"amount":10,"payment_method":"cash"}}`
			s.Publish(fmt.Sprintf(payment, id, n))
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
		publish(4) // The tabs wait before they reconnect, so they receive these events when they resume.
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

// testRoles publishes events to users of three roles. Each user must see only the events, and the fields of an event,
// that the role may see.
func testRoles(t *testing.T, s *stack.Stack) {
	manager := testkit.Open(s, browser.NewUser(t), "manager", "/")
	yard := testkit.Open(s, browser.NewUser(t), "yard", "/")
	hr := testkit.Open(s, browser.NewUser(t), "hr", "/")
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2,"customer":"Ann Smith"}}`)
	s.Publish(`{"type":"timesheet_updated","id":"sheet","data":{"timesheet_id":4,"employee_id":456,` +
		`"employee_name":"Jo Field","status":"submitted","date":"2026-11-23"}}`)
	testkit.Shows(manager, "late")
	testkit.Shows(manager, "sheet")
	testkit.Shows(hr, "sheet")
	s.Publish(`{"type":"maintenance_required","id":"after","data":{"equipment_name":"Crane","issue":"Oil"}}`)
	testkit.Shows(yard, "after")
	require.Equal(t, []string{"after", "late"}, yard.Attributes("[data-event]", "data-event"))
	require.Equal(t, []string{"sheet"}, hr.Attributes("[data-event]", "data-event"))
	const pageText = `document.body.innerText`
	require.Contains(t, browser.Eval[string](manager, pageText), "Ann Smith")
	require.NotContains(t, browser.Eval[string](yard, pageText), "Ann Smith")
	hr.Eventually(testkit.Soon, `document.querySelector('[data-figure=timesheets_pending]').dataset.value === "1"`)
}

// testFallback connects tabs through a proxy that holds streams back and later refuses upgrades too. The events must
// arrive by WebSocket, and then by long poll.
func testFallback(t *testing.T, s *stack.Stack) {
	var proxy faultyProxy
	proxy.holdStreams.Store(true)
	base, n := proxy.start(t, s), 0
	for _, indicator := range []string{
		"[data-status=live][data-transport=websocket]",
		"[data-status=polling][data-transport=poll]",
	} {
		tab := openAsManager(t, base)
		tab.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector('.header %s')`, indicator))
		testkit.PublishNumbered(s, n, n+3)
		n += 3
		testkit.Shows(tab, fmt.Sprint("n", n-1))
		want := testkit.NumberedIDs(0, n)
		slices.Reverse(want)
		require.Equal(t, want, tab.Attributes("[data-event]", "data-event"))
		proxy.refuseUpgrades.Store(true)
	}
}
