package pages

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// focusedControl is JavaScript that returns the name of the action, the card or the element that has the focus.
const focusedControl = `(document.activeElement.dataset.act ??
	document.activeElement.dataset.item ?? document.activeElement.tagName)`

// storedStatuses is JavaScript that returns the statuses in all stored events, the oldest first.
const storedStatuses = `fetch("/api/events?after=oldest")
	.then(r => r.json()).then(j => j.events.map(e => e.data.status))`

// Two quick presses of an action publish one event. The page then replaces this action by another one. Neither the
// second press nor the focus reaches the new action.
func TestQuickPressesPublishOneEvent(t *testing.T) {
	s := stack.Start(t)
	for _, id := range []int{200, 201} {
		s.Publish(
			fmt.Sprintf(
				`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active","customer":"C"}}`,
				id,
			),
		)
	}
	tab := testkit.Open(s, browser.NewUser(t), "dispatcher", "/rentals")
	tab.Show()
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="rental-200-off_rent"]')`)
	focusAndType := func(act, keys string) {
		browser.Eval[bool](tab, `(() => { document.querySelector('[data-act="`+act+`"]').focus(); return true })()`)
		tab.Type(keys)
	}
	focusAndType("rental-200-off_rent", "\r\r")
	tab.Eventually(testkit.Soon, `document.querySelector('[data-item="200"] [aria-disabled=true]')`)
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="rental-200-pending_return"]')`)
	require.Equal(
		t,
		"200",
		browser.Eval[string](tab, focusedControl),
		"the page no longer has this button, so its card has the focus",
	)
	tab.Eventually(
		testkit.Soon,
		`document.querySelector('[data-act="rental-200-pending_return"][aria-disabled=true]') === null`,
	)
	require.Equal(t, []string{"active", "active", "off_rent"}, browser.Eval[[]string](tab, storedStatuses))

	// The user presses twice with the pointer at one place.
	tab.Click(`[data-act="rental-200-pending_return"]`)
	browser.Eval[bool](tab, `(() => { document.querySelector('[data-item="200"] .button').click(); return true })()`)
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="rental-200-returned"]')`)
	browser.Eval[bool](
		tab,
		`(() => { document.querySelector('[data-act="rental-200-returned"]').click(); return true })()`,
	)
	tab.Eventually(
		testkit.Soon,
		`document.querySelector('[data-act="rental-200-returned"][aria-disabled=true]') === null`,
	)
	require.Equal(
		t,
		[]string{"active", "active", "off_rent", "pending_return"},
		browser.Eval[[]string](tab, storedStatuses),
	)
	requireFocusStaysOnAction(t, s, tab)
	require.Empty(t, tab.Problems())
}

// requireFocusStaysOnAction checks that the focus stays on the action of its rental when another card moves the cards.
func requireFocusStaysOnAction(t *testing.T, s *stack.Stack, tab *browser.Tab) {
	t.Helper()
	browser.Eval[bool](
		tab,
		`(() => { document.querySelector('[data-act="rental-201-off_rent"]').focus(); return true })()`,
	)
	s.Publish(
		`{"type":"rental_status_updated","data":{"rental_id":202,"status":"active","expected_end_date":"2020-01-01"}}`,
	)
	tab.Eventually(testkit.Soon, `document.querySelector('[data-item="202"]')`)
	require.Equal(t, "rental-201-off_rent", browser.Eval[string](tab, focusedControl))
}

// An action that cannot be undone asks first, and a rejection sends its reason.
func TestIrreversibleActionsAskFirst(t *testing.T) {
	s := stack.Start(t)
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"reserved"}}`)
	s.Publish(`{"type":"timesheet_updated","data":{"timesheet_id":8,"employee_id":5,"employee_name":"Ann",` +
		`"status":"submitted","date":"2026-11-24","hours_worked":8}}`)
	tab := testkit.Open(s, browser.NewUser(t), "dispatcher", "/rentals")
	tab.Show()
	tab.Click(`[data-part=planned]`)
	tab.Eventually(testkit.Soon, `document.querySelector('[data-act="rental-1-cancelled"]')`)
	tab.Click(`[data-act="rental-1-cancelled"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] #confirm")`)
	tab.Type("\x1b")
	tab.Eventually(testkit.Soon, `!document.querySelector("dialog[open]")`)
	require.Equal(t, "rental-1-cancelled", browser.Eval[string](tab, focusedControl))
	require.Len(t, testkit.StoredIDs(t, s), 2)
	tab.Click(`[data-act="rental-1-cancelled"]`)
	tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] #confirm")`)
	tab.Click("#confirm")
	testkit.Eventually(
		t,
		testkit.Soon,
		"the rental is cancelled",
		func() bool { return len(testkit.StoredIDs(t, s)) == 3 },
	)

	hr := testkit.Open(s, browser.NewUser(t), "hr", "/employees")
	hr.Show()
	hr.Eventually(testkit.Soon, `document.querySelector('[data-act$=rejected]')`)
	hr.Click(`[data-act$=rejected]`)
	hr.Eventually(testkit.Soon, `document.querySelector("dialog[open] #reason")`)
	browser.Eval[bool](hr, `(() => { document.getElementById("reason").focus(); return true })()`)
	hr.Type("No breaks\r")
	testkit.Eventually(
		t,
		testkit.Soon,
		"the sheet is rejected",
		func() bool { return len(testkit.StoredIDs(t, s)) == 4 },
	)
	hr.Click(`[data-part=sheets]`)
	hr.Eventually(testkit.Soon, `document.querySelector(".item-lines").innerText.includes("No breaks")`)
	require.Empty(t, append(tab.Problems(), hr.Problems()...))
}
