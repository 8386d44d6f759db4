package pages

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// With the broker down, /events?x=1 opens from the cache. Three events that the user writes meanwhile arrive once each
// when the broker is up again.
func TestDeepLinkOpensOffline(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/")
	tab.Eventually(testkit.Soon, `navigator.serviceWorker.controller`)
	s.Publish(`{"type":"rental_overdue","id":"before","data":{"rental_id":1,"days_overdue":1}}`)
	testkit.Shows(tab, "before")
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	for _, path := range append([]string{"/events?x=1"}, testkit.Paths...) {
		if path == "/admin" {
			continue // The manager may not open this page.
		}
		tab.Open(s.URL + path)
		tab.Eventually(testkit.Soon, `document.querySelector("main h1") &&
			!["loading", "sign-in", "not-found"].includes(document.querySelector("main").dataset.page)`)
		tab.Eventually(testkit.Soon, `document.querySelector(".as-of")?.innerText.includes("as of ")`)
		tab.Eventually(testkit.Soon, `!document.querySelector("main .skeleton")`)
	}
	tab.Open(s.URL + "/events?x=1")
	testkit.Shows(tab, "before")
	tab.Open(s.URL + "/sse-test")
	types := []string{"rental_status_updated", "payment_received", "maintenance_required"}
	for i, typ := range types {
		tab.Eventually(testkit.Soon, fmt.Sprintf(`document.querySelector('[data-send=%s]:not(:disabled)')`, typ))
		tab.Click(fmt.Sprintf(`[data-send=%q]`, typ))
		tab.Eventually(
			testkit.Soon,
			fmt.Sprintf(`document.querySelectorAll("[data-outbox=queued]").length === %d`, i+1),
		)
	}
	tab.Open(s.URL + "/outbox")
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-outbox=queued]").length === 3`)
	s.Up()
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-outbox=sent]").length === 3`)
	require.Len(t, testkit.StoredIDs(t, s), 4)
	tab.Open(s.URL + "/events?x=1")
	tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length === 4`)
	require.Equal(
		t,
		[]string{"maintenance_required", "payment_received", "rental_status_updated", "rental_overdue"},
		tab.Attributes("[data-event]", "data-type"),
	)
}
