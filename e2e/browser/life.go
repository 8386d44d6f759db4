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

// Close closes the tab as a user would. Nothing can be asked of it afterwards.
func (b *Tab) Close() {
	b.t.Helper()
	gone, err := chromedp.Detached(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	call(b, page.Close, cdp.Empty{})
	select {
	case <-gone:
	case <-time.After(stepTimeout):
		b.t.Fatal("the tab did not close")
	}
}

// Crash kills the tab's renderer. Nothing can be asked of it until Open. The
// tabs of a user have a renderer each, so the others live.
func (b *Tab) Crash() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	crashed := chromedp.Events(ctx, inspector.TargetCrashed)
	// Called raw: it answers with an error, as it should.
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

// Back goes back in the tab's history, and fails unless the page comes out of
// the back/forward cache.
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

// Freeze stops the tab as a browser that saves power does; Thaw ends that.
func (b *Tab) Freeze() { b.lifecycle(page.SetWebLifecycleStateStateFrozen) }

// Thaw ends Freeze. The tab is hidden until it is shown.
func (b *Tab) Thaw() { b.lifecycle(page.SetWebLifecycleStateStateActive) }

func (b *Tab) lifecycle(s page.SetWebLifecycleStateState) {
	b.t.Helper()
	call(b, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: s})
}

// KeepMemory lets Memory see the wasm memory of the tab's next pages.
func (b *Tab) KeepMemory() {
	b.t.Helper()
	b.OnNewDocument(`(() => { const keep = window.wasmMemories = [];
		const note = r => { for (const v of Object.values((r.instance || r).exports)) if (v instanceof WebAssembly.Memory) keep.push(v); return r; };
		for (const n of ["instantiate", "instantiateStreaming"]) { const f = WebAssembly[n];
			WebAssembly[n] = function () { return f.apply(this, arguments).then(note); }; } })()`)
}

// Memory is how many bytes the page uses after a garbage collection: of
// JavaScript's heap, and of the wasm memory, which never shrinks.
func (b *Tab) Memory() (heap, wasm int64) {
	b.t.Helper()
	call(b, heapprofiler.CollectGarbage, cdp.Empty{})
	usage := call(b, runtime.GetHeapUsage, cdp.Empty{})
	return int64(usage.UsedSize), Eval[int64](b, `wasmMemories.reduce((n, m) => n + m.buffer.byteLength, 0)`)
}
