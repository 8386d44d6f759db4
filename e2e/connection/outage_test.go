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

// After a broker outage of a minute, the events that were published on its return are in order and without toasts, and
// the page shows a gap for events that the log has purged. A countdown is shown meanwhile.
func TestBrokerOutageKeepsOrderAndDeclaresGaps(t *testing.T) {
	const retention = 2 * time.Second
	s := stack.Start(t, "--retention", retention.String())
	var h hostile
	base := h.between(t, s)
	tab := browser.NewUser(t).NewTab()
	tab.Open(base + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	overdue := func(id string) {
		s.Publish(
			fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":%d,"days_overdue":1}}`, id, len(id)),
		)
	}
	overdue("before")
	testkit.Shows(tab, "before")
	tab.Click(".toast-close")
	browser.Eval[bool](tab, watchToasts)
	s.Kill()
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
	s.Up()
	want := []string{"before"}
	for i := range 20 {
		id := fmt.Sprintf("missed-%02d", i)
		overdue(id)
		want = append([]string{id}, want...)
	}
	tab.Click(".banner-reconnecting button") // by itself it may wait for half a minute
	tab.Eventually(2*testkit.Soon, testkit.IsLive)
	testkit.Shows(tab, want[0])
	require.Equal(t, want, tab.Attributes("[data-event]", "data-event"))
	require.Empty(t, browser.Eval[[]string](tab, `toasted`), "what was missed makes no message, nor do drop and return")
	for i := range 20 {
		overdue(fmt.Sprintf("flood-%02d", i))
	}
	tab.Eventually(testkit.Soon, `toasted.includes("summary")`)
	testkit.Shows(tab, "flood-19")
	require.LessOrEqual(t, browser.Eval[int](tab, `most`), 3, "at no time")
	require.Len(t, tab.Attributes("[data-toast]", "data-toast"), 1, "one stands for all")
	tab.Click("[data-toast=summary] .toast-close")
	require.Empty(t, tab.Attributes("[data-gap]", "data-gap"))

	// What the log has forgotten meanwhile is said to be missing.
	h.badGateway.Store(true)
	h.cut()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	for i := range 5 {
		overdue(fmt.Sprintf("forgotten-%d", i))
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
	h.badGateway.Store(false)
	tab.Eventually(
		2*time.Minute,
		`document.querySelector("[data-gap]")?.innerText.includes("(gap)")`,
	) // it waits longer after each try
	tab.Eventually(testkit.Soon, testkit.IsLive)
	overdue("after")
	testkit.Shows(tab, "after")
	tab.Click("[data-gap] button")
	tab.Eventually(testkit.Soon, `!document.querySelector("[data-gap]")`)
}

// watchToasts is a script that notes each message that the page shows, and how many it shows at once.
const watchToasts = `(() => {
	window.toasted = []; window.most = 0;
	new MutationObserver(() => {
		const now = [...document.querySelectorAll("[data-toast]")].map(e => e.dataset.toast);
		most = Math.max(most, now.length);
		for (const id of now) if (!toasted.includes(id)) toasted.push(id);
	}).observe(document.getElementById("toasts"), {childList: true, subtree: true, attributes: true});
	return true })()`
