package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A User is one browser context, with cookies, storage, cache and workers of its own. All its tabs share one window, so
// exactly one of them has the focus.
type User struct {
	t    testing.TB
	id   cdp.BrowserContextID
	tabs []*Tab
}

// NewUser opens a browser context. It ends with the test.
func NewUser(t testing.TB) *User {
	t.Helper()
	dispose := true
	created, err := chromedp.CallBrowser(root, target.CreateBrowserContext,
		target.CreateBrowserContextParams{DisposeOnDetach: &dispose})
	if err != nil {
		t.Fatalf("new browser context: %v", err)
	}
	u := &User{t: t, id: created.BrowserContextID}
	t.Cleanup(func() {
		_, err := chromedp.CallBrowser(root, target.DisposeBrowserContext,
			target.DisposeBrowserContextParams{BrowserContextID: u.id})
		if err != nil {
			t.Errorf("dispose of a browser context: %v", err)
		}
		var all sync.WaitGroup
		for _, tab := range u.tabs {
			all.Go(tab.cancel)
		}
		all.Wait()
	})
	return u
}

// A Tab is one page of a user. Only one goroutine at a time may use it.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	undecodedBefore int // how many events were dropped before this tab was opened

	mu       sync.Mutex // guards the fields below
	problems []Problem
	urls     map[network.RequestID]string
}

// NewTab opens an empty tab in front of the user's other tabs.
func (u *User) NewTab() *Tab {
	u.t.Helper()
	tab := &Tab{t: u.t, urls: map[network.RequestID]string{}, undecodedBefore: undecoded.count()}
	tab.ctx, tab.cancel = chromedp.NewContext(root, chromedp.WithExistingBrowserContext(u.id),
		chromedp.WithNewWindow(false), chromedp.WithListener(tab.onEvent))
	u.tabs = append(u.tabs, tab)
	// The tab lives as long as the context of its first command, so that context has no deadline.
	err := chromedp.Do(tab.ctx, chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		if _, err := cdp.Call(ctx, to, audits.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, to, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: reportViolations})
		return err
	}))
	if err != nil {
		u.t.Fatalf("new tab: %v", err)
	}
	return tab
}

// stepTimeout is how long one command to the browser may take.
const stepTimeout = 20 * time.Second

// Open loads a page.
func (tab *Tab) Open(url string) {
	tab.t.Helper()
	tab.run(chromedp.Navigate(url))
}

// Click clicks the first element that a CSS selector finds.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.run(chromedp.Click(chromedp.CSS(selector)))
}

// Type presses keys. The element with the focus receives them.
func (tab *Tab) Type(keys string) {
	tab.t.Helper()
	tab.run(chromedp.KeyEvent(keys))
}

// Show makes this tab the visible one of its window, and gives it the focus.
func (tab *Tab) Show() {
	tab.t.Helper()
	call(tab, page.BringToFront, cdp.Empty{})
	tab.Eventually(stepTimeout, `document.visibilityState === "visible" && document.hasFocus()`)
}

// OnNewDocument runs a script in each page that the tab opens from now on, before the scripts of the page.
func (tab *Tab) OnNewDocument(source string) {
	tab.t.Helper()
	call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
}

// run runs actions, and fails the test if they fail.
func (tab *Tab) run(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("%v; %v", err, tab.recorded())
	}
}

// call sends a command to the tab and returns its result. It fails the test if the command fails.
func call[P, R any](tab *Tab, c cdp.Command[P, R], p P) R {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	r, err := chromedp.Call(ctx, c, p)
	if err != nil {
		tab.t.Fatalf("%s: %v", c.Method, err)
	}
	return r
}

// Eval evaluates JavaScript and returns its value. If the value is a promise, Eval waits for it.
func Eval[T any](tab *Tab, js string) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatalf("evaluate %s: %v", js, err)
	}
	return v
}

// Eventually waits until an expression of JavaScript is true. An exception counts as false. Eventually evaluates the
// expression again and again from Go, because requestAnimationFrame never fires in a hidden tab.
func (tab *Tab) Eventually(within time.Duration, js string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, within)
	defer cancel()
	var last error
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 32*time.Millisecond) {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
		if err == nil && ok {
			return
		}
		if err != nil && ctx.Err() == nil {
			last = err
			if errors.Is(err, chromedp.ErrTargetDetached) || tab.ctx.Err() != nil {
				tab.t.Fatalf("the tab is gone while waiting for %s: %v", js, err)
			}
		}
		select {
		case <-ctx.Done():
			tab.t.Fatalf("not true within %v: %s (last error: %v; %v)", within, js, last, tab.recorded())
		case <-time.After(pause):
		}
	}
}

// Attributes returns an attribute of all elements that a CSS selector finds, in document order.
func (tab *Tab) Attributes(selector, attribute string) []string {
	tab.t.Helper()
	return Eval[[]string](tab, fmt.Sprintf(`Array.from(document.querySelectorAll(%s), e => e.getAttribute(%s))`,
		quote(selector), quote(attribute)))
}

// quote returns a string as a literal of JavaScript.
func quote(s string) string {
	b, _ := json.Marshal(s) // Marshal never fails for a string.
	return string(b)
}

// Screenshot returns the window as PNG. width is in CSS pixels, scheme is "light" or "dark". The tab must be visible.
func (tab *Tab) Screenshot(width int64, scheme string) []byte {
	tab.t.Helper()
	tab.SetSize(width, scheme)
	ctx, cancel := context.WithTimeout(tab.ctx, stepTimeout)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatalf("screenshot: %v", err)
	}
	return png
}

// SetSize sets the width of the window in CSS pixels and the color scheme, "light" or "dark", and turns animations
// off. A width below 600 makes the device a phone.
func (tab *Tab) SetSize(width int64, scheme string) {
	tab.t.Helper()
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	var options []chromedp.EmulateViewportOption
	if width < 600 {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	tab.run(chromedp.EmulateViewport(width, 860, options...))
}
