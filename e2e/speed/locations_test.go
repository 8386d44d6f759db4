package speed

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// The page shows 500 location updates in 5 s as at most one row for each machine in the feed, and without a toast. It
// answers keys within 200 ms.
func TestManyLocationUpdatesKeepThePageResponsive(t *testing.T) {
	s, u := stack.Start(t, "--publish-rate", "1000"), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	tab := u.NewTab()
	tab.OnNewDocument(measureInput)
	tab.Open(s.URL + "/sse-test") // Each event makes a row here. This is more work than on the dashboard.
	tab.Eventually(testkit.Soon, testkit.IsLive)
	feed := u.NewTab()
	feed.Open(s.URL + "/")
	feed.Eventually(testkit.Soon, testkit.IsLive)
	tab.Show()
	testkit.UnfoldForm(tab)
	tab.Click("#payload")
	const updates = 500
	published := make(chan struct{})
	go func() {
		defer close(published)
		publishFlood(t, s, 0, updates, updates/5)
	}()
	keys := 0
	for isPublishing := true; isPublishing; {
		tab.Type("x")
		keys++
		select {
		case <-published:
			isPublishing = false
		default:
		}
	}
	last := fmt.Sprint("f-", updates-1)
	testkit.Shows(tab, last)
	payload := browser.Eval[string](tab, `document.getElementById("payload").value`)
	require.Len(t, payload, keys, "every key is in the field")
	testkit.Shows(feed, last)
	require.Equal(t, 0, browser.Eval[int](feed, countRepeatedSubjects), "one row for each machine")
	require.Empty(t, tab.Attributes("[data-toast]", "data-toast"))
	require.Empty(t, feed.Attributes("[data-toast]", "data-toast"))
	late := browser.Eval[int](tab, `inputDurations.filter(ms => ms > 200).length`)
	slowest := browser.Eval[float64](tab, `Math.max(0, ...inputDurations)`)
	t.Logf("%d updates, %d keys, the slowest answered after %v ms", updates, keys, slowest)
	require.Greater(t, keys, 20)
	// One key in fifty may take longer, because the machine may be busy.
	require.LessOrEqual(t, float64(late), max(1, float64(keys)/50), "typing is answered within 200 ms")
}

// countRepeatedSubjects is JavaScript that returns how many rows of the feed have the subject of another row.
const countRepeatedSubjects = `(subjects => subjects.length - new Set(subjects).size)(
	[...document.querySelectorAll("[data-event] .row-subject")].map(e => e.innerText))`
