package connection

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// During an outage of the broker, the page shows a countdown. After the outage, the page shows the missed events in
// order and without toasts. It shows a gap in place of events that the log has purged.
func TestBrokerOutageKeepsOrderAndDeclaresGaps(t *testing.T) {
	const retention = 2 * time.Second
	s := stack.Start(t, "--retention", retention.String())
	var proxy faultyProxy
	tab := openAsManager(t, proxy.start(t, s))
	tab.Eventually(testkit.Soon, testkit.IsLive)
	publishOverdue(s, "before")
	testkit.Shows(tab, "before")
	tab.Click(".toast-close")
	browser.Eval[bool](tab, watchToasts)
	s.Kill()
	waitForBanner(t, tab)
	s.Up()
	want := []string{"before"}
	for i := range 20 {
		id := fmt.Sprintf("missed-%02d", i)
		publishOverdue(s, id)
		want = append([]string{id}, want...)
	}
	tab.Click(".banner-reconnecting button") // The client may wait up to half a minute before it tries again by itself.
	tab.Eventually(2*testkit.Soon, testkit.IsLive)
	testkit.Shows(tab, want[0])
	require.Equal(t, want, tab.Attributes("[data-event]", "data-event"))
	require.Empty(t, browser.Eval[[]string](tab, `shownToasts`), "neither missed events nor the outage make a toast")
	requireFloodMakesOneToast(t, s, tab)
	require.Empty(t, tab.Attributes("[data-gap]", "data-gap"))

	// The page shows a gap in place of the events that the log purges during the second outage.
	proxy.badGateway.Store(true)
	proxy.cutConnections()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	publishEventsAndPurgeThem(t, s, retention)
	proxy.badGateway.Store(false)
	// The client waits longer after each attempt.
	tab.Eventually(2*time.Minute, `document.querySelector("[data-gap]")?.innerText.includes("(gap)")`)
	tab.Eventually(testkit.Soon, testkit.IsLive)
	publishOverdue(s, "after")
	testkit.Shows(tab, "after")
	tab.Click("[data-gap] button")
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-gap]")`)
}

// publishOverdue publishes an event with this id that reports an overdue rental.
func publishOverdue(s *stack.Stack, id string) {
	const overdue = `{"type":"rental_overdue","id":%q,"data":{"rental_id":%d,"days_overdue":1}}`
	s.Publish(fmt.Sprintf(overdue, id, len(id)))
}

// waitForBanner waits until the page shows a countdown, and then for 16 seconds, or a minute in a full run. The banner
// must be visible at the end.
func waitForBanner(t *testing.T, tab *browser.Tab) {
	t.Helper()
	tab.Eventually(
		testkit.Soon,
		`/in \d+ s/.test(document.querySelector(".header [data-status=reconnecting] .status-count")?.innerText)`,
	)
	down := time.Now()
	tab.Eventually(
		testkit.ForFullRun(testkit.Soon, time.Minute),
		`document.querySelector(".banner-reconnecting")?.innerText.includes("Reconnecting in")`,
	)
	testkit.Eventually(
		t,
		2*time.Minute,
		"the outage",
		func() bool { return time.Since(down) > testkit.ForFullRun(16*time.Second, time.Minute) },
	)
	require.True(
		t,
		browser.Eval[bool](
			tab,
			`getComputedStyle(document.querySelector(".banner-reconnecting")).visibility === "visible"`,
		),
		"after 15 s the banner shows",
	)
}

// requireFloodMakesOneToast publishes many events at once. The page must show them all, with one toast.
func requireFloodMakesOneToast(t *testing.T, s *stack.Stack, tab *browser.Tab) {
	t.Helper()
	for i := range 20 {
		publishOverdue(s, fmt.Sprintf("flood-%02d", i))
	}
	tab.Eventually(testkit.Soon, `shownToasts.includes("summary")`)
	testkit.Shows(tab, "flood-19")
	require.LessOrEqual(t, browser.Eval[int](tab, `maxToasts`), 3, "toasts at a time")
	require.Len(t, tab.Attributes("[data-toast]", "data-toast"), 1, "one toast summarizes all events")
	tab.Click("[data-toast=summary] .toast-close")
}

// publishEventsAndPurgeThem publishes events, restarts the broker after the retention, and waits until the log is
// empty.
func publishEventsAndPurgeThem(t *testing.T, s *stack.Stack, retention time.Duration) {
	t.Helper()
	for i := range 5 {
		publishOverdue(s, fmt.Sprintf("forgotten-%d", i))
	}
	written := time.Now()
	testkit.Eventually(t, testkit.Soon, "they are old", func() bool { return time.Since(written) > retention })
	s.Stop()
	s.Up()
	api := s.APIFor("4", 0, access.Manager)
	testkit.Eventually(t, testkit.Soon, "they are forgotten", func() bool {
		p, err := api.History(t.Context(), filter.Filter{}, wire.Cursor{}, 100)
		return err == nil && len(p.Events) == 0
	})
}

// watchToasts is JavaScript that keeps the id of each toast in shownToasts, and the largest number of toasts at a time
// in maxToasts.
const watchToasts = `(() => {
	window.shownToasts = []; window.maxToasts = 0;
	new MutationObserver(() => {
		const now = [...document.querySelectorAll("[data-toast]")].map(e => e.dataset.toast);
		maxToasts = Math.max(maxToasts, now.length);
		for (const id of now) if (!shownToasts.includes(id)) shownToasts.push(id);
	}).observe(document.getElementById("toasts"), {childList: true, subtree: true, attributes: true});
	return true })()`
