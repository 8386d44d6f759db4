package device

import (
	"context"
	"errors"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// Setting is what the user has set on this device, "" for nothing, also where
// the browser keeps no settings.
func Setting(name string) (value string) {
	defer func() { _ = recover() }() // browsers throw where storage is blocked
	if !app.IsClient {
		return ""
	}
	if v := app.Window().Get("localStorage").Call("getItem", name); v.Truthy() {
		return v.String()
	}
	return ""
}

// Set keeps a setting; "" forgets it.
func Set(name, value string) {
	defer func() { _ = recover() }()
	if !app.IsClient {
		return
	}
	if value == "" {
		app.Window().Get("localStorage").Call("removeItem", name)
		return
	}
	app.Window().Get("localStorage").Call("setItem", name, value)
}

// The settings' names. The page's loader reads the theme too.
const (
	Theme     = "theme"      // light, dark; "": the system's
	Shortcuts = "shortcuts"  // off
	Style     = "style"      // text.Style as JSON
	ToastTime = "toast-time" // 2, never
	Debug     = "sse-debug"  // true
)

// ApplyTheme shows a theme: light, dark, or "" for the system's.
func ApplyTheme(theme string) {
	if !app.IsClient {
		return
	}
	root := app.Window().Get("document").Get("documentElement")
	if theme == "" {
		root.Call("removeAttribute", "data-theme")
		return
	}
	root.Call("setAttribute", "data-theme", theme)
}

// Badge shows a number on the icon of the installed app; 0 removes it.
func Badge(n int) {
	navigator := app.Window().Get("navigator")
	if !app.IsClient || !navigator.Get("setAppBadge").Truthy() {
		return
	}
	method := "setAppBadge"
	if n == 0 {
		method = "clearAppBadge"
	}
	go func() { _, _ = await(context.Background(), navigator.Call(method, n)) }() // it is an ornament
}

// Save offers a file to the user.
func Save(name, media, content string) {
	if !app.IsClient {
		return
	}
	window := app.Window()
	blob := window.Get("Blob").New([]any{content}, map[string]any{"type": media})
	url := window.Get("URL").Call("createObjectURL", blob)
	link := window.Get("document").Call("createElement", "a")
	link.Set("href", url)
	link.Set("download", name)
	link.Call("click")
	window.Get("URL").Call("revokeObjectURL", url)
}

// Installed tells whether the page runs as an installed app.
func Installed() bool {
	return app.IsClient && app.Window().Call("matchMedia", "(display-mode: standalone)").Get("matches").Bool()
}

// Apple tells whether the browser installs apps by its own menu alone.
func Apple() bool { return app.IsClient && app.Window().Call("goappIsAppleBrowser").Bool() }

// Narrow tells whether the page has the layout of a phone. watch, which may be
// nil, is told for the life of the page when that changes.
func Narrow(watch func(narrow bool)) bool {
	if !app.IsClient {
		return false
	}
	query := app.Window().Call("matchMedia", "(max-width: 719px)")
	if watch != nil {
		query.Call("addEventListener", "change", app.FuncOf(func(_ app.Value, args []app.Value) any {
			watch(args[0].Get("matches").Bool())
			return nil
		}))
	}
	return query.Get("matches").Bool()
}

// Held tells whether the pointer or the focus is on what a selector finds, or the
// page is hidden. A finger leaves no pointer behind.
func Held(selector string) bool {
	hover := app.IsClient && app.Window().Call("matchMedia", "(hover: hover)").Get("matches").Bool() && find(selector+":hover").Truthy()
	return hover || find(selector+":focus-within").Truthy() || app.IsClient && app.Window().Get("document").Get("hidden").Bool()
}

// Zone is the reader's time zone by its name, such as Europe/Berlin.
func Zone() string {
	if !app.IsClient {
		return ""
	}
	return app.Window().Get("Intl").Call("DateTimeFormat").Call("resolvedOptions").Get("timeZone").String()
}

func find(selector string) app.Value {
	if !app.IsClient {
		return app.Undefined()
	}
	return app.Window().Get("document").Call("querySelector", selector)
}

// Above tells whether the top of what a selector finds is scrolled out of sight.
func Above(selector string) bool {
	e := find(selector)
	return e.Truthy() && e.Call("getBoundingClientRect").Get("top").Float() < 0
}

// ScrollTo brings what a selector finds into view.
func ScrollTo(selector string) {
	if e := find(selector); e.Truthy() {
		e.Call("scrollIntoView")
	}
}

// await waits for a promise. It must not be called on the UI goroutine.
func await(ctx context.Context, promise app.Value) (app.Value, error) {
	type result struct {
		value app.Value
		err   error
	}
	done := make(chan result, 1) // one of the two is called, once
	resolve := app.FuncOf(func(_ app.Value, args []app.Value) any {
		done <- result{value: first(args)}
		return nil
	})
	reject := app.FuncOf(func(_ app.Value, args []app.Value) any {
		err := errors.New("rejected")
		if reason := first(args); reason.Truthy() {
			err = errors.New(reason.Call("toString").String())
		}
		done <- result{err: err}
		return nil
	})
	promise.Call("then", resolve, reject)
	select {
	case r := <-done:
		resolve.Release()
		reject.Release()
		return r.value, r.err
	case <-ctx.Done():
		return nil, ctx.Err() // the functions are still the promise's
	}
}

func first(args []app.Value) app.Value {
	if len(args) == 0 {
		return app.Undefined()
	}
	return args[0]
}
