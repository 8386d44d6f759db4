package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
)

// connectionCount returns how many connections the broker has, or -1 if the broker does not answer.
func connectionCount(s *stack.Stack) int {
	admin := s.APIFor("ops", 0, access.Admin)
	r, err := admin.Transport.Do(context.Background(), wasmclient.Request{Method: "GET", Path: "/api/stats"})
	var stats struct{ Connections int }
	if err != nil || r.Status != 200 || json.Unmarshal(r.Body, &stats) != nil {
		return -1
	}
	return stats.Connections
}

// recordEvents is JavaScript that turns the client's debug log on and reads it: it adds the id of each event that the
// client delivers to ids, and the time of the delivery to at.
const recordEvents = `localStorage["sse-debug"] = "true"; window.ids = []; window.at = {};
	{
		const log = console.debug;
		console.debug = (...x) => {
			const m = /^\[sse\] event (\S+) /.exec(x[0]);
			if (m) { ids.push(m[1]); at[m[1]] = Date.now() } else log.apply(console, x)
		}
	}`

// openRecordingTab opens the app in a new tab that records events, and runs the scripts in each of its pages. The user
// must be signed in.
func openRecordingTab(s *stack.Stack, u *browser.User, scripts ...string) *browser.Tab {
	tab := u.NewTab()
	for _, script := range append(scripts, recordEvents) {
		tab.OnNewDocument("if (location.protocol !== 'about:') {" + script + "}")
	}
	tab.Open(s.URL + "/")
	tab.Eventually(testkit.Soon, testkit.IsLive)
	return tab
}

// locationUpdate returns an event with this id that moves a machine, as JSON.
func locationUpdate(id string) string {
	return fmt.Sprintf(
		`{"type":"equipment_location_updated","id":%q,"data":{"equipment_id":7,"location_name":"Yard"}}`,
		id,
	)
}

// tabRole returns the role that the tab shows: "leader", "follower" or "alone".
func tabRole(tab *browser.Tab) string {
	return tab.Attributes(".header [data-status]", "data-tab")[0]
}

// Eight tabs share one stream, and each tab receives an event within a second.
func TestEightTabsShareOneStream(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	var tabs []*browser.Tab
	for range 8 {
		tabs = append(tabs, openRecordingTab(s, u))
	}
	roles := map[string]int{}
	for _, tab := range tabs {
		roles[tabRole(tab)]++
	}
	require.Equal(t, map[string]int{"leader": 1, "follower": 7}, roles)
	best := time.Hour
	for i := range 3 { // The best of three counts, because the machine may be busy.
		id := fmt.Sprint("e-", i)
		sent := time.Now()
		s.Publish(locationUpdate(id))
		var slowest time.Duration
		for _, tab := range tabs {
			testkit.Shows(tab, id)
			took := time.UnixMilli(browser.Eval[int64](tab, fmt.Sprintf(`at[%q]`, id))).Sub(sent)
			slowest = max(slowest, took)
		}
		best = min(best, slowest)
	}
	t.Logf("the slowest of eight tabs had the event after %v", best)
	require.Less(t, best, time.Second)
	require.Equal(t, 1, connectionCount(s))
	for _, tab := range tabs {
		require.Empty(t, tab.Problems())
	}
}

// publishAtRate publishes the events e-0, e-1 … at a rate until the caller calls stop, which returns their ids.
func publishAtRate(t *testing.T, s *stack.Stack, perSecond int) (stop func() []string) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []string)
	api := s.APIFor("erp", 0, access.Service)
	go func() {
		var ids []string
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for ctx.Err() == nil {
			id := fmt.Sprint("e-", len(ids))
			if _, err := api.PublishJSON(context.Background(), json.RawMessage(locationUpdate(id))); err != nil {
				t.Errorf("publish: %v", err)
			}
			ids = append(ids, id)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		done <- ids
	}()
	return func() []string {
		cancel()
		return <-done
	}
}

// leaderIndex returns the index of the tab that shows that it leads, or -1 if no tab does.
func leaderIndex(tabs []*browser.Tab) int {
	return slices.IndexFunc(tabs, func(tab *browser.Tab) bool { return tabRole(tab) == "leader" })
}

// waysToLeave are the ways in which a tab leaves. Each function returns a function that brings the tab back, or nil if
// the tab does not come back.
var waysToLeave = map[string]func(leader *browser.Tab) (comeBack func()){
	"close": func(leader *browser.Tab) func() { leader.Close(); return nil },
	"crash": func(leader *browser.Tab) func() { leader.Crash(); return nil },
	"navigate": func(leader *browser.Tab) func() {
		leader.Open("about:blank")
		return nil
	},
	"back/forward cache": func(leader *browser.Tab) func() {
		leader.Open("about:blank")
		return leader.Back
	},
	"freeze": func(leader *browser.Tab) func() {
		leader.Freeze()
		return leader.Thaw
	},
}

// waitForEvents waits until the tab has received n more events.
func waitForEvents(tab *browser.Tab, n int) {
	received := browser.Eval[int](tab, `ids.length`)
	tab.Eventually(testkit.Soon, fmt.Sprintf(`ids.length >= %d`, received+n))
}

// waitForLeader waits until one of the tabs leads, and returns its index.
func waitForLeader(t *testing.T, tabs []*browser.Tab, description string) (index int) {
	t.Helper()
	testkit.Eventually(t, testkit.Soon, description, func() bool {
		index = leaderIndex(tabs)
		return index >= 0
	})
	return index
}

// The leading tab leaves in one of five ways while events are published. Each other tab receives every event once and
// in order. The former leader does so too when it comes back.
func TestNoEventIsLostWhenTheLeaderLeaves(t *testing.T) {
	for name, leave := range waysToLeave {
		t.Run(name, func(t *testing.T) {
			s, u := stack.Start(t), browser.NewUser(t)
			testkit.SignIn(s, u, "dispatcher")
			var scripts []string
			if name == "navigate" { // The browser keeps no page with this listener in its back/forward cache.
				scripts = []string{`addEventListener("unload", () => {});`}
			}
			leader := openRecordingTab(s, u, scripts...)
			var others []*browser.Tab
			for range testkit.ForFullRun(2, 7) {
				others = append(others, openRecordingTab(s, u))
			}
			require.Equal(t, "leader", tabRole(leader))
			stopPublishing := publishAtRate(t, s, 100)
			for range testkit.ForFullRun(1, 3) {
				for _, tab := range others {
					waitForEvents(tab, 50)
				}
				comeBack := leave(leader)
				start := time.Now()
				waitForLeader(t, others, "another tab leads")
				t.Logf("another tab led after %v", time.Since(start))
				for _, tab := range others {
					waitForEvents(tab, 50)
				}
				if comeBack == nil {
					break
				}
				comeBack()
				waitForEvents(leader, 1)
				others = append(others, leader)
				// The tab that came back may lead again.
				next := waitForLeader(t, others, "one tab leads")
				leader = others[next]
				others = slices.Delete(others, next, next+1)
			}
			ids := stopPublishing()
			openTabs := others
			if name == "freeze" || name == "back/forward cache" {
				openTabs = append(openTabs, leader)
			}
			for i, tab := range openTabs {
				tab.Eventually(testkit.Soon, fmt.Sprintf(`ids[ids.length - 1] === %q`, ids[len(ids)-1]))
				got := browser.Eval[[]string](tab, `ids`)
				require.Equal(t, ids, got, "tab %d", i)
			}
			require.Equal(t, 1, connectionCount(s))
		})
	}
}

// When all tabs are hidden, the client closes the stream after the grace period. When a tab is shown again, all tabs
// receive the missed events, and the shown tab shows one summary.
func TestHiddenTabsCloseTheStreamAndResume(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	grace := `localStorage["sse-grace"] = "1s";`
	first, second := openRecordingTab(s, u, grace), openRecordingTab(s, u, grace)
	require.Equal(t, "leader", tabRole(first))
	// The leader is hidden, and still serves the visible tab.
	first.Eventually(testkit.Soon, `document.visibilityState === "hidden"`)
	s.Publish(locationUpdate("seen"))
	testkit.Shows(second, "seen")
	blank := u.NewTab()
	blank.Show()
	testkit.Eventually(t, testkit.Soon, "no stream", func() bool { return connectionCount(s) == 0 })
	for _, tab := range []*browser.Tab{first, second} {
		tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=paused]")`)
	}
	for i := range 3 {
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":"r-%d","data":{"rental_id":%d,"days_overdue":1}}`, i, i+1))
	}
	second.Show()
	second.Eventually(testkit.Soon, testkit.IsLive)
	for _, tab := range []*browser.Tab{first, second} {
		tab.Eventually(testkit.Soon, `ids.length === 4`)
		require.Equal(t, []string{"seen", "r-0", "r-1", "r-2"}, browser.Eval[[]string](tab, `ids`))
	}
	second.Eventually(
		testkit.Soon,
		`document.querySelector("[data-toast=summary]")?.innerText.includes("3 events while you were away")`,
	)
	require.Equal(t, []string{"summary"}, second.Attributes("[data-toast]", "data-toast"))
	require.Equal(t, 1, connectionCount(s))
}

// The browser slows down the timers of a hidden tab. A visible tab still receives events at once from a hidden leader,
// and reconnects soon after the broker is back.
func TestHiddenLeaderServesTheVisibleTab(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	leader, tab := openRecordingTab(s, u), openRecordingTab(s, u)
	require.Equal(t, "leader", tabRole(leader))
	leader.Eventually(testkit.Soon, `document.visibilityState === "hidden"`)
	timerCalls := browser.Eval[int](leader, `new Promise(done => { let n = 0; const i = setInterval(() => n++, 50);
		setTimeout(() => { clearInterval(i); done(n) }, 3000) })`)
	require.Less(t, timerCalls, 20, "the browser does not slow hidden tabs down: this tests nothing")
	stopPublishing := publishAtRate(t, s, 100)
	tab.Eventually(testkit.Soon, `ids.length >= 200`)
	ids := stopPublishing()
	tab.Eventually(testkit.Soon, fmt.Sprintf(`ids.length === %d`, len(ids)))
	s.Kill()
	tab.Eventually(testkit.Soon, `document.querySelector(".header [data-status=reconnecting]")`)
	s.Up()
	tab.Eventually(testkit.ReconnectTimeout, testkit.IsLive)
	s.Publish(locationUpdate("after"))
	tab.Eventually(testkit.Soon, fmt.Sprintf(`ids.length === %d`, len(ids)+1))
	require.Equal(t, append(ids, "after"), browser.Eval[[]string](tab, `ids`))
}

// In a browser without Web Locks, each tab opens its own stream and receives every event once.
func TestTabsWithoutLocksConnectAlone(t *testing.T) {
	s, u := stack.Start(t), browser.NewUser(t)
	testkit.SignIn(s, u, "dispatcher")
	withoutLocks := `Object.defineProperty(Navigator.prototype, "locks", {value: undefined});`
	tabs := []*browser.Tab{openRecordingTab(s, u, withoutLocks), openRecordingTab(s, u, withoutLocks)}
	for i, tab := range tabs {
		require.Equal(t, "alone", tabRole(tab), "tab %d", i)
	}
	require.Equal(t, 2, connectionCount(s))
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint("e-", i))
		s.Publish(locationUpdate(want[i]))
	}
	for i, tab := range tabs {
		testkit.Shows(tab, want[len(want)-1])
		require.Equal(t, want, browser.Eval[[]string](tab, `ids`), "tab %d", i)
		require.Empty(t, tab.Problems())
	}
	tabs[0].Close()
	testkit.Eventually(t, testkit.Soon, "one stream", func() bool { return connectionCount(s) == 1 })
	s.Publish(locationUpdate("after"))
	testkit.Shows(tabs[1], "after")
}
