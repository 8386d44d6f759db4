package e2e

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// TestFirstVisit bounds what the dashboard costs with an empty cache: what is
// painted late, what moves after it was painted, and what is loaded. The times
// are the best of three, since the machine may be busy.
func TestFirstVisit(t *testing.T) {
	s := stack.Start(t, "--demo", "--demo-rate", "5")
	var lcp, cls []float64
	for range 3 {
		tab := browser.NewUser(t).NewTab()
		tab.Open(s.URL + "/healthz")
		browser.Eval[int](tab, `fetch("/api/session", {method: "POST", body: '{"user":"manager"}'}).then(r => r.status)`)
		tab.OnNewDocument(`window.lcp = 0; window.cls = 0;
			new PerformanceObserver(list => { for (const e of list.getEntries()) lcp = e.startTime }).observe({type: "largest-contentful-paint", buffered: true});
			new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) cls += e.value }).observe({type: "layout-shift", buffered: true})`)
		tab.Open(s.URL + "/")
		tab.Eventually(soon, isLive)
		tab.Eventually(soon, `document.querySelectorAll("[data-figure]").length > 5 && document.querySelectorAll("[data-event]").length > 5`)
		lcp, cls = append(lcp, browser.Eval[float64](tab, `lcp`)), append(cls, browser.Eval[float64](tab, `cls`))
		loaded := browser.Eval[int](tab, `performance.getEntriesByType("resource").filter(e => !e.name.includes("/api/")).reduce((n, e) => n + e.encodedBodySize, performance.getEntriesByType("navigation")[0].encodedBodySize)`)
		t.Logf("%d bytes loaded", loaded)
		require.Greater(t, loaded, 1_000_000, "it was no first visit")
		require.LessOrEqual(t, loaded, 2_000_000)
	}
	t.Logf("largest paint after %v ms, layout shift %v", lcp, cls)
	require.LessOrEqual(t, slices.Min(lcp), 2500.0)
	require.LessOrEqual(t, slices.Max(cls), 0.1)
}
