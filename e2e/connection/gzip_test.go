package connection

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// Chromium receives the stream of the app as gzip. The app shows each event before the next one is published.
func TestAppReadsAGzipStream(t *testing.T) {
	s := stack.Start(t)
	var proxy faultyProxy
	proxy.refuseUpgrades.Store(true)
	tab := openAsManager(t, proxy.start(t, s))
	tab.Eventually(testkit.Soon, testkit.IsLive)
	require.Equal(t, "gzip", proxy.streamEncoding.Load())
	for i := range 10 {
		id := fmt.Sprintf("e%d", i)
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":%q,"data":{"rental_id":1,"days_overdue":%d}}`, id, i+1))
		testkit.Shows(tab, id)
	}
}
