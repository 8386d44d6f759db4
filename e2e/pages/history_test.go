package pages

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// recordFiles is JavaScript that adds the text of every file that the page saves to the array files.
const recordFiles = `(() => {
	window.files = [];
	const original = URL.createObjectURL;
	URL.createObjectURL = b => {
		b.text().then(t => files.push(t));
		return original.call(URL, b);
	};
	return true;
})()`

// publishPayments publishes payments with the ids p-0, p-1 and so on.
func publishPayments(s *stack.Stack, count int) {
	for i := range count {
		s.Publish(fmt.Sprintf(`{"type":"payment_received","id":"p-%d","data":{"payment_id":%d,"rental_id":%d,`+
			`"amount":10,"payment_method":"cash"}}`, i, i+1, i+1))
	}
}

// setFilter gives a filter the focus and another value, and tells the app about the change.
func setFilter(tab *browser.Tab, id, value string) {
	browser.Eval[bool](tab, fmt.Sprintf(`(() => {
		const e = document.getElementById(%q);
		e.focus();
		e.value = %q;
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, id, value))
}

// setValue gives a field another value and tells the app about the change. It does not move the focus.
func setValue(tab *browser.Tab, id, value string) {
	browser.Eval[bool](tab, fmt.Sprintf(`(() => {
		const e = document.getElementById(%q);
		e.value = %q;
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, id, value))
}

// The history page filters events, shows the details of one, and saves the shown events in files.
func TestHistoryFiltersOpensAndSavesEvents(t *testing.T) {
	s := stack.Start(t)
	publishExamples(s)
	publishPayments(s, 120)
	tab := testkit.Open(s, browser.NewUser(t), "manager", "/events")
	tab.Eventually(
		testkit.Soon,
		`document.querySelectorAll("[data-event]").length >= 100 && document.getElementById("older")`,
	)
	tab.Click("#older")
	tab.Eventually(
		testkit.Soon,
		`document.querySelectorAll("[data-event]").length > 120 && !document.getElementById("older")`,
	)
	setFilter(tab, "filter-types", "payment_received")
	tab.Eventually(testkit.Soon, `location.search === "?types=payment_received"`)
	setFilter(tab, "filter-subjects", "rental/7")
	tab.Eventually(
		testkit.Soon,
		`document.querySelectorAll("[data-event]").length === 1 && document.querySelector('[data-event="p-6"]')`,
	)
	require.Equal(
		t,
		"filter-subjects",
		browser.Eval[string](tab, `document.activeElement.id`),
		"the focus stays in the filter",
	)
	browser.Eval[bool](tab, `(() => { history.back(); return true })()`)
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 100 &&
		document.getElementById("filter-subjects").value === "" &&
		document.getElementById("filter-types").value === "payment_received"`)
	browser.Eval[bool](tab, `(() => { history.forward(); return true })()`)
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 1`)

	tab.Click(".row-open")
	tab.Eventually(
		testkit.Soon,
		`document.querySelector("dialog[open].drawer")?.innerText.includes("Payment received")`,
	)
	tab.Click("dialog .toast-close")
	tab.Eventually(testkit.Soon, `!document.querySelector("dialog[open]")`)
	requireSavedFiles(t, tab)
	require.Empty(t, tab.Problems())
}

// requireSavedFiles saves the history as CSV and as JSON, and checks that both files hold the payment p-6 alone.
func requireSavedFiles(t *testing.T, tab *browser.Tab) {
	t.Helper()
	browser.Eval[bool](tab, recordFiles)
	tab.Click("#export-csv")
	tab.Eventually(testkit.Soon, `files.length === 1`)
	lines := strings.Split(strings.TrimSpace(browser.Eval[string](tab, `files[0]`)), "\r\n")
	require.Len(t, lines, 2)
	require.True(t, strings.HasPrefix(lines[0], "time,type,severity,subject,id,cursor,actor,"), lines[0])
	require.Contains(t, lines[1], "payment_received,success,rental/7,p-6,")
	tab.Click("#export-json:not(:disabled)")
	tab.Eventually(testkit.Soon, `files.length === 2`)
	var saved []struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(browser.Eval[string](tab, `files[1]`)), &saved))
	require.Equal(t, "p-6", saved[0].ID)
}

// The history page loads its events again when the broker is up again. When the user saves a file during the outage,
// the page shows that the file has only the shown events.
func TestHistoryRetriesAfterAnOutage(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	s.Publish(`{"type":"rental_overdue","id":"late","data":{"rental_id":9,"days_overdue":2}}`)
	tab := testkit.Open(s, u, "manager", "/events")
	testkit.Shows(tab, "late")
	tab.Eventually(testkit.Soon, `navigator.serviceWorker.controller`)
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	rentalTab := u.NewTab()
	for path, openTab := range map[string]*browser.Tab{"/events": tab, "/rentals/9": rentalTab} {
		openTab.Open(s.URL + path)
		openTab.Eventually(testkit.Soon, `document.querySelector("main .page .banner")`)
		testkit.Shows(openTab, "late")
	}
	unknownTab := u.NewTab()
	unknownTab.Open(s.URL + "/rentals/999")
	unknownTab.Eventually(testkit.Soon, `document.querySelector("main")?.innerText.includes("Nothing known yet")`)
	require.False(t, browser.Eval[bool](unknownTab, `!!document.querySelector("main [data-act]")`))
	unknownTab.Close()
	tab.Show()
	browser.Eval[bool](tab, recordFiles)
	tab.Click("#export-csv")
	tab.Eventually(
		testkit.Soon,
		`files.length === 1 && document.querySelector("main .page [role=status]")?.innerText.includes("no others")`,
	)
	s.Up()
	for _, openTab := range []*browser.Tab{tab, rentalTab} {
		openTab.Show()
		openTab.Eventually(2*testkit.Soon, testkit.IsLive)
		openTab.Eventually(testkit.Soon, `!document.querySelector("main .page .banner:not([role=status])")`)
	}
}
