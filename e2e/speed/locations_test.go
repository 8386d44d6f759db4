package speed

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// 500 location updates in 5 s make at most one row for each machine in the feed and no toast, and typing is answered
// within 200 ms.
func TestManyLocationUpdatesKeepThePageResponsive(t *testing.T) {
	s, u := stack.Start(t, "--publish-rate", "1000"), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	tab := u.NewTab()
	tab.OnNewDocument(measureInput)
	tab.Open(s.URL + "/sse-test") // every event is a row here, which is more to do than on the dashboard
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
	require.Len(
		t,
		browser.Eval[string](tab, `document.getElementById("payload").value`),
		keys,
		"every key is in the field",
	)
	testkit.Shows(feed, last)
	require.Equal(
		t,
		0,
		browser.Eval[int](
			feed,
			`(all => all.length - new Set(all).size)([...document.querySelectorAll("[data-event] .row-subject")].map(e => e.innerText))`,
		),
		"one row for each unit",
	)
	require.Empty(
		t,
		append(tab.Attributes("[data-toast]", "data-toast"), feed.Attributes("[data-toast]", "data-toast")...),
	)
	late := browser.Eval[int](tab, `slow.filter(ms => ms > 200).length`)
	t.Logf(
		"%d updates, %d keys, the slowest answered after %v ms",
		updates,
		keys,
		browser.Eval[float64](tab, `Math.max(0, ...slow)`),
	)
	require.Greater(t, keys, 20)
	require.LessOrEqual(
		t,
		float64(late),
		max(1, float64(keys)/50),
		"typing is answered within 200 ms; the machine may be busy for one in fifty",
	)
}
