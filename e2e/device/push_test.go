package device

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/push/pushtest"
	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// The service worker shows a message that the broker sends to the push service of a device while no tab is visible.
func TestWorkerShowsPushMessages(t *testing.T) {
	s, d, u := stack.Start(t, "--push-test"), pushtest.New(t), browser.NewUser(t)
	tab := testkit.Open(s, u, "manager", "/")
	tab.Eventually(testkit.Soon, `navigator.serviceWorker.controller`)
	body, err := json.Marshal(
		map[string]any{"endpoint": d.Subscription().Endpoint, "keys": d.Subscription().Keys, "name": "Phone"},
	)
	require.NoError(t, err)
	const subscribe = `fetch("/api/push/subscriptions", {method: "POST", body: %s}).then(r => r.status)`
	require.Equal(t, 201, browser.Eval[int](tab, fmt.Sprintf(subscribe, testkit.JSON(string(body)))))
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":9,"days_overdue":2,"customer":"Ann"}}`)
	var deliveries []pushtest.Delivery
	testkit.Eventually(t, testkit.Soon, "the push", func() bool {
		deliveries, _ = d.Deliveries()
		return len(deliveries) == 1
	})
	require.Equal(t, "Rental #9 is 2 days overdue", deliveries[0].Message.Body)

	u.AllowNotifications(s.URL)
	u.NewTab().Show() // hides the tab of the app
	tab.Eventually(testkit.Soon, `document.visibilityState === "hidden"`)
	const shown = `navigator.serviceWorker.ready.then(r => r.getNotifications())
		.then(all => all.map(n => n.title + " | " + n.body + " | " + n.data.url))`
	pushUntil(t, tab, s.URL, string(deliveries[0].Body), "the notification",
		func() bool { return len(browser.Eval[[]string](tab, shown)) == 1 })
	require.Equal(t, []string{"Overdue | Rental #9 is 2 days overdue | /rentals/9"}, browser.Eval[[]string](tab, shown))
	// After the sign-out the broker sends the device nothing more.
	tab.Show()
	tab.Click("#sign-out")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	s.Publish(`{"type":"rental_overdue","data":{"rental_id":10,"days_overdue":2}}`)
	require.Equal(t, 1, d.Attempts())
}

// pushUntil delivers a push to the service worker of an origin until isShown is true. Chromium 156 loses a push of the
// protocol of its developer tools now and then, on a busy machine. A repeated push replaces the first, because it has
// the same tag.
func pushUntil(t *testing.T, tab *browser.Tab, origin, body, what string, isShown func() bool) {
	t.Helper()
	var pushed time.Time
	testkit.Eventually(t, testkit.Soon, what, func() bool {
		if time.Since(pushed) > 5*time.Second {
			tab.Push(origin, body)
			pushed = time.Now()
		}
		return isShown()
	})
}
