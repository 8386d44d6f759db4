package device

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// OnWorker handles messages of the service worker for the life of the page. It calls navigate with the
// address of a notification that the user has clicked. Before that, the worker asks each tab for its
// address, and whether a form of the tab holds typed text.
func OnWorker(navigate func(path string)) {
	worker := feature("navigator", "serviceWorker")
	if !worker.Truthy() || !worker.Get("addEventListener").Truthy() {
		return
	}
	worker.Call("addEventListener", "message", app.FuncOf(func(_ app.Value, args []app.Value) any {
		data := args[0].Get("data")
		if !data.Truthy() || !data.Get("type").Truthy() {
			return nil
		}
		switch data.Get("type").String() {
		case "app:navigate":
			navigate(data.Get("url").String())
		case "app:where":
			at := app.Window().Get("location")
			path := at.Get("pathname").String() + at.Get("search").String()
			args[0].Get("ports").Index(0).Call("postMessage", map[string]any{"path": path, "busy": Typed()})
		}
		return nil
	}))
	// A page that uses addEventListener gets no messages before it calls startMessages.
	if worker.Get("startMessages").Truthy() {
		worker.Call("startMessages")
	}
}

// reloadPause is the least time between two reloads by the app itself. If a reload has not helped, a
// second one right after it would not help either.
const reloadPause = 10 * time.Minute

// FirstReload reports whether the app may reload the page by itself now: the tab is visible, and the
// last such reload was at least reloadPause ago. If so, it records that the app reloads.
func FirstReload(now time.Time) (first bool) {
	defer func() { _ = recover() }() // returns false: without a storage, nothing would stop a loop of reloads
	const name = "reloaded"
	tab := feature("sessionStorage")
	if !tab.Truthy() || feature("document", "hidden").Truthy() {
		return false
	}
	if last := tab.Call("getItem", name); last.Truthy() {
		if at, err := time.Parse(time.RFC3339, last.String()); err == nil && now.Sub(at) < reloadPause {
			return false
		}
	}
	tab.Call("setItem", name, now.Format(time.RFC3339))
	return tab.Call("getItem", name).Truthy()
}

// Typed reports whether a form of the page holds typed text that was not sent. Filters do not count,
// because the address has them.
func Typed() bool {
	if !app.IsClient {
		return false
	}
	controls := app.Window().Get("document").Call("querySelectorAll",
		"main form input:not([type=checkbox]), main form textarea, main textarea, dialog[open] form")
	for i := range controls.Length() {
		c := controls.Index(i)
		if c.Get("tagName").String() == "FORM" {
			return true
		}
		if c.Call("closest", ".filters").IsNull() && c.Get("value").String() != c.Get("defaultValue").String() {
			return true
		}
	}
	return false
}
