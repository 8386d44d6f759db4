package device

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// OnWorker hears the service worker for the life of the page. It calls navigate with where a clicked notification leads.
// Before that the worker asks each tab where it is, and whether something is typed there that would be lost.
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
	// A page that hears by addEventListener gets no message before it says that it listens.
	if worker.Get("startMessages").Truthy() {
		worker.Call("startMessages")
	}
}

// reloadPause is the least time between two reloads by the app itself: what a reload has not helped it will not help at
// once.
const reloadPause = 10 * time.Minute

// FirstReload tells whether the app may reload the page by itself now: the tab is visible, and it did not do so lately. It
// notes that the app does.
func FirstReload(now time.Time) (first bool) {
	defer func() { _ = recover() }() // without a storage nothing would end a loop of reloads
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

// Typed tells whether a form of the page holds something that was typed and not sent. Filters are in the address.
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
