package speed

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// measureLayout is JavaScript that sets lcp to the time of the last large paint in milliseconds, cls to the cumulative
// layout shift, and moved to the elements that moved.
const measureLayout = `window.lcp = 0; window.cls = 0; window.moved = [];
	const box = r => [r.x, r.y, r.width, r.height].map(Math.round).join(" ");
	new PerformanceObserver(list => {
		for (const e of list.getEntries()) lcp = e.startTime
	}).observe({type: "largest-contentful-paint", buffered: true});
	new PerformanceObserver(list => {
		for (const e of list.getEntries()) if (!e.hadRecentInput) {
			cls += e.value;
			for (const s of e.sources)
				moved.push(s.node?.nodeName + "." + s.node?.className + ": " +
					box(s.previousRect) + " > " + box(s.currentRect))
		}
	}).observe({type: "layout-shift", buffered: true});`

// delayRequests is JavaScript that delays each request to the broker for longer than the one before, so that the page
// fills piece by piece.
const delayRequests = `(() => { const fetchNow = window.fetch; let wait = 0;
	window.fetch = (to, o) => String(to.url ?? to).includes("/api/")
		? new Promise(r => setTimeout(r, wait += 300)).then(() => fetchNow(to, o))
		: fetchNow(to, o) })();`

// isFilled is JavaScript that is true when the dashboard shows figures and events.
const isFilled = `document.querySelectorAll("[data-figure]").length > 5 &&
	document.querySelectorAll("[data-event]").length > 5`

// countBytes is JavaScript that returns how many bytes the page has loaded, without the answers of the API.
const countBytes = `performance.getEntriesByType("resource").filter(e => !e.name.includes("/api/"))
	.reduce((n, e) => n + e.encodedBodySize, performance.getEntriesByType("navigation")[0].encodedBodySize)`

// newManagerTab opens a tab of a new user, and signs the manager in without opening the app.
func newManagerTab(t *testing.T, s *stack.Stack) *browser.Tab {
	t.Helper()
	tab := browser.NewUser(t).NewTab()
	tab.Open(s.URL + "/healthz")
	browser.Eval[int](tab, `fetch("/api/session", {method: "POST", body: '{"user":"manager"}'}).then(r => r.status)`)
	return tab
}

// The layout shift stays small while the dashboard fills slowly. The figures do not move when the broker goes down.
func TestLayoutStaysWhileThePageFills(t *testing.T) {
	s := stack.Start(t, "--demo", "--demo-rate", "5")
	var tabs []*browser.Tab
	for _, width := range []int64{1280, 360} {
		tab := newManagerTab(t, s)
		tab.SetSize(width, "light")
		tab.OnNewDocument(measureLayout + delayRequests)
		tab.Open(s.URL + "/")
		tab.Eventually(testkit.Soon, testkit.IsLive)
		tab.Eventually(testkit.Soon, isFilled)
		t.Logf(
			"%d px: layout shift %v by %q",
			width,
			browser.Eval[float64](tab, `cls`),
			browser.Eval[[]string](tab, `moved`),
		)
		require.LessOrEqual(t, browser.Eval[float64](tab, `cls`), 0.1)
		tabs = append(tabs, tab)
	}
	const top = `document.querySelector("main .figures").getBoundingClientRect().top + scrollY`
	var before []float64
	for _, tab := range tabs {
		before = append(before, browser.Eval[float64](tab, top))
	}
	s.Kill()
	for i, tab := range tabs {
		tab.Eventually(
			testkit.Soon,
			`getComputedStyle(document.querySelector(".banner-reconnecting")).visibility === "visible"`,
		)
		require.Equal(t, before[i], browser.Eval[float64](tab, top), "the banner lies over the page")
	}
}

// This test bounds the cost of the dashboard with an empty cache: the time of its last large paint, the movement of its
// elements, and the bytes that it loads. The times are the best of three, because the machine may be busy.
func TestFirstVisitIsFastAndSmall(t *testing.T) {
	s := stack.Start(t, "--demo", "--demo-rate", "5")
	var lcp, cls []float64
	for range 3 {
		tab := newManagerTab(t, s)
		tab.OnNewDocument(measureLayout)
		tab.Open(s.URL + "/")
		tab.Eventually(testkit.Soon, testkit.IsLive)
		tab.Eventually(testkit.Soon, isFilled)
		lcp, cls = append(lcp, browser.Eval[float64](tab, `lcp`)), append(cls, browser.Eval[float64](tab, `cls`))
		loaded := browser.Eval[int](tab, countBytes)
		t.Logf("%d bytes loaded", loaded)
		require.Greater(t, loaded, 1_000_000, "it was no first visit")
		require.LessOrEqual(t, loaded, 2_000_000)
	}
	t.Logf("largest paint after %v ms, layout shift %v", lcp, cls)
	require.LessOrEqual(t, slices.Min(lcp), 2500.0)
	require.LessOrEqual(t, slices.Max(cls), 0.1)
}
