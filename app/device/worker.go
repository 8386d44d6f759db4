package device

import "github.com/maxence-charriere/go-app/v10/pkg/app"

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
