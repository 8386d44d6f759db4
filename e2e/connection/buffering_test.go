package connection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// Through a proxy that holds streams back and refuses upgrades, the app shows "Delayed updates" within 12 s, and events
// arrive.
func TestAppConnectsThroughABufferingProxy(t *testing.T) {
	s := stack.Start(t)
	var proxy faultyProxy
	proxy.holdStreams.Store(true)
	proxy.refuseUpgrades.Store(true)
	tab := openAsManager(t, proxy.start(t, s))
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status]")`) // The manager is signed in.
	start := time.Now()
	tab.Eventually(
		testkit.Soon,
		`document.querySelector(".header [data-status=polling]")?.innerText.includes("Delayed updates")`,
	)
	t.Logf("delayed updates after %v", time.Since(start))
	require.Less(t, time.Since(start), 12*time.Second)
	s.Publish(`{"type":"rental_overdue","id":"through","data":{"rental_id":1,"days_overdue":1}}`)
	testkit.Shows(tab, "through")
}
