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
func (b *Tab) Close() {
	b.t.Helper()
	detached, err := chromedp.Detached(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	call(b, page.Close, cdp.Empty{})
	select {
	case <-detached:
	case <-time.After(stepTimeout):
		b.t.Fatal("the tab did not close")
	}
}

// Crash kills the tab's renderer. The tab cannot be used until Open. The other tabs of the user go on, because each
// has a renderer of its own.
func (b *Tab) Crash() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	crashed := chromedp.Events(ctx, inspector.TargetCrashed)
	// A raw call ignores that this navigation always reports an error.
	if _, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: "chrome://crash"}); err != nil {
		b.t.Fatalf("crash: %v", err)
	}
	for _, err := range crashed {
		if err != nil {
			b.t.Fatalf("crash: %v", err)
		}
		return
	}
}

// Back goes back in the tab's history. The test fails unless the browser restores the page from the back/forward cache.
func (b *Tab) Back() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	notUsed := chromedp.Events(ctx, page.BackForwardCacheNotUsed)
	navigated := chromedp.Events(ctx, page.FrameNavigated)
	Eval[bool](b, `setTimeout(() => history.back()), true`)
	for e, err := range navigated {
		if err != nil {
			b.t.Fatalf("back: %v", err)
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
			b.t.Fatalf("back: %v", err)
		}
		for _, x := range e.NotRestoredExplanations {
			reasons += fmt.Sprintf(" %s/%s", x.Type, x.Reason)
		}
		break
	}
	b.t.Fatalf("the page was not restored from the back/forward cache:%s", reasons)
}

// Freeze stops the tab as a browser does to save power. Thaw ends it.
func (b *Tab) Freeze() { b.setLifecycle(page.SetWebLifecycleStateStateFrozen) }

// Thaw ends Freeze. The tab is hidden until it is shown.
func (b *Tab) Thaw() { b.setLifecycle(page.SetWebLifecycleStateStateActive) }

// setLifecycle sets the state of the page: frozen or active.
func (b *Tab) setLifecycle(s page.SetWebLifecycleStateState) {
	b.t.Helper()
	call(b, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: s})
}

// TrackMemory lets MemoryUse find the wasm memory of the pages that the tab opens from now on.
func (b *Tab) TrackMemory() {
	b.t.Helper()
	b.OnNewDocument(`(() => { const keep = window.wasmMemories = [];
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
func (b *Tab) MemoryUse() (heap, wasm int64) {
	b.t.Helper()
	call(b, heapprofiler.CollectGarbage, cdp.Empty{})
	usage := call(b, runtime.GetHeapUsage, cdp.Empty{})
	return int64(usage.UsedSize), Eval[int64](b, `wasmMemories.reduce((n, m) => n + m.buffer.byteLength, 0)`)
}
