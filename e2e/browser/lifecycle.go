package browser

import (
	"context"
	"fmt"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Close closes the tab as a user would. The tab cannot be used afterwards.
func (tab *Tab) Close() {
	tab.t.Helper()
	detached, err := chromedp.Detached(tab.ctx)
	if err != nil {
		tab.t.Fatal(err)
	}
	call(tab, page.Close, cdp.Empty{})
	select {
	case <-detached:
	case <-time.After(stepTimeout):
		tab.t.Fatal("the tab did not close")
	}
}

// Crash kills the tab's renderer. The tab cannot be used until Open. The other tabs of the user go on, because each
// has a renderer of its own.
func (tab *Tab) Crash() {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	crashed := chromedp.Events(ctx, inspector.TargetCrashed)
	// A raw call ignores that this navigation always reports an error.
	if _, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: "chrome://crash"}); err != nil {
		tab.t.Fatalf("crash: %v", err)
	}
	for _, err := range crashed {
		if err != nil {
			tab.t.Fatalf("crash: %v", err)
		}
		return
	}
}

// Back goes back in the tab's history. The test fails unless the browser restores the page from the back/forward cache.
func (tab *Tab) Back() {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	notUsed := chromedp.Events(ctx, page.BackForwardCacheNotUsed)
	navigated := chromedp.Events(ctx, page.FrameNavigated)
	Eval[bool](tab, `setTimeout(() => history.back()), true`)
	for e, err := range navigated {
		if err != nil {
			tab.t.Fatalf("back: %v", err)
		}
		if e.Frame.ParentID != "" {
			continue
		}
		if e.Type == page.NavigationTypeBackForwardCacheRestore {
			return
		}
		break
	}
	reasons := ""
	for e, err := range notUsed {
		if err != nil {
			tab.t.Fatalf("back: %v", err)
		}
		for _, x := range e.NotRestoredExplanations {
			reasons += fmt.Sprintf(" %s/%s", x.Type, x.Reason)
		}
		break
	}
	tab.t.Fatalf("the page was not restored from the back/forward cache:%s", reasons)
}

// Freeze stops the tab as a browser does to save power, until Thaw.
func (tab *Tab) Freeze() { tab.setLifecycle(page.SetWebLifecycleStateStateFrozen) }

// Thaw lets a frozen tab run again. The tab is hidden until Show.
func (tab *Tab) Thaw() { tab.setLifecycle(page.SetWebLifecycleStateStateActive) }

// setLifecycle sets the state of the page: frozen or active.
func (tab *Tab) setLifecycle(s page.SetWebLifecycleStateState) {
	tab.t.Helper()
	call(tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: s})
}

// TrackMemory lets MemoryUse find the wasm memory of the pages that the tab opens from now on.
func (tab *Tab) TrackMemory() {
	tab.t.Helper()
	tab.OnNewDocument(`(() => { const keep = window.wasmMemories = [];
		const keepMemory = r => {
			for (const v of Object.values((r.instance || r).exports))
				if (v instanceof WebAssembly.Memory) keep.push(v);
			return r;
		};
		for (const n of ["instantiate", "instantiateStreaming"]) {
			const f = WebAssembly[n];
			WebAssembly[n] = function () { return f.apply(this, arguments).then(keepMemory); };
		} })()`)
}

// MemoryUse collects garbage and returns how many bytes the page uses: of JavaScript's heap, and of the wasm memory,
// which never shrinks.
func (tab *Tab) MemoryUse() (heap, wasm int64) {
	tab.t.Helper()
	call(tab, heapprofiler.CollectGarbage, cdp.Empty{})
	usage := call(tab, runtime.GetHeapUsage, cdp.Empty{})
	return int64(usage.UsedSize), Eval[int64](tab, `wasmMemories.reduce((n, m) => n + m.buffer.byteLength, 0)`)
}
