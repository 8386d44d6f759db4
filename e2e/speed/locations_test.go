package speed

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
)

// 500 location updates in 5 s make at most one row for each machine in the feed and no toast, and typing is answered
// within 200 ms.
func TestManyLocationUpdatesKeepThePageResponsive(t *testing.T) {
	s, u := stack.Start(t, "--publish-rate", "1000"), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	tab := u.NewTab()
	tab.OnNewDocument(
		`window.slow = []; new PerformanceObserver(list => { for (const e of list.getEntries()) slow.push(e.duration) }).observe({type: "event", durationThreshold: 16})`,
	)
	tab.Open(s.URL + "/sse-test") // every event is a row here, which is more to do than on the dashboard
	tab.Eventually(testkit.Soon, testkit.IsLive)
	feed := u.NewTab()
	feed.Open(s.URL + "/")
	feed.Eventually(testkit.Soon, testkit.IsLive)
	tab.Show()
	testkit.UnfoldForm(tab)
	tab.Click("#payload")
	const updates = 500
	sent := make(chan string)
	go func() { sent <- inFiveSeconds(t, s, updates) }()
	keys, last := 0, ""
	for last == "" {
		tab.Type("x")
		keys++
		select {
		case last = <-sent:
		default:
		}
	}
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

// inFiveSeconds publishes so many location updates, and returns the last one's id.
func inFiveSeconds(t *testing.T, s *stack.Stack, updates int) string {
	api := s.APIFor("erp", 0, access.Service)
	tick := time.NewTicker(5 * time.Second * batch / time.Duration(updates))
	defer tick.Stop()
	for n := 0; n < updates; n += batch {
		r, err := api.Transport.Do(t.Context(), wasmclient.Request{Method: "POST", Path: "/api/sse",
			Header: map[string]string{"Content-Type": "application/cloudevents-batch+json"}, Body: flood(n)})
		if err != nil || r.Status != 201 {
			t.Errorf("publish: %v %d %s", err, r.Status, r.Body)
		}
		<-tick.C
	}
	return fmt.Sprint("f-", updates-1)
}
