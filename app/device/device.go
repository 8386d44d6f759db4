package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// feature returns a property of the browser, or undefined when the browser lacks it or throws. Some browsers throw when
// storage is blocked, in private windows and in web views. Value.Get would end the program then, because Go can recover
// only from exceptions of calls.
func feature(names ...string) (found app.Value) {
	defer func() {
		if recover() != nil {
			found = app.Undefined()
		}
	}()
	if !app.IsClient {
		return app.Undefined()
	}
	found = app.Window()
	reflect := app.Window().Get("Reflect")
	for _, name := range names {
		if found = reflect.Call("get", found, name); !found.Truthy() {
			break
		}
	}
	return found
}

// Setting is what the user has set on this device, "" for nothing, also where
// the browser keeps no settings.
func Setting(name string) (value string) {
	defer func() { _ = recover() }() // browsers throw where storage is blocked
	if v := feature("localStorage").Call("getItem", name); v.Truthy() {
		return v.String()
	}
	return ""
}

// Set keeps a setting; "" forgets it.
func Set(name, value string) {
	defer func() { _ = recover() }() // browsers throw where storage is blocked or full
	if value == "" {
		feature("localStorage").Call("removeItem", name)
		return
	}
	feature("localStorage").Call("setItem", name, value)
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
	if !feature("navigator", "setAppBadge").Truthy() {
		return
	}
	method := "setAppBadge"
	if n == 0 {
		method = "clearAppBadge"
	}
	// The badge is an ornament, so its errors do not matter.
	go func() { _, _ = await(context.Background(), feature("navigator"), method, n) }()
}

// Save offers a file to the user.
func Save(name, media, content string) {
	if !app.IsClient {
		return
	}
	window := app.Window()
	bytes := window.Get("Uint8Array").New(len(content)) // a string would lose its byte order mark on the way
	app.CopyBytesToJS(bytes, []byte(content))
	blob := window.Get("Blob").New([]any{bytes}, map[string]any{"type": media})
	url := window.Get("URL").Call("createObjectURL", blob)
	link := window.Get("document").Call("createElement", "a")
	link.Set("href", url)
	link.Set("download", name)
	link.Call("click")
	window.Get("URL").Call("revokeObjectURL", url)
}

// Copy puts a text into the clipboard. When the page may not use the clipboard, as on a plain HTTP address, Copy
// selects the text and lets the browser copy it.
func Copy(words string) {
	go func() {
		ctx, done := context.WithTimeout(context.Background(), copyTime)
		defer done()
		if clipboard := feature("navigator", "clipboard"); clipboard.Truthy() {
			if _, err := await(ctx, clipboard, "writeText", words); err == nil {
				return
			}
		}
		document := app.Window().Get("document")
		area := document.Call("createElement", "textarea")
		area.Set("value", words)
		document.Get("body").Call("append", area)
		area.Call("select")
		document.Call("execCommand", "copy")
		area.Call("remove")
	}()
}

// copyTime bounds how long the clipboard may take.
const copyTime = 3 * time.Second

// matches tells whether a media query holds for the page.
func matches(query string) bool {
	return app.IsClient && app.Window().Call("matchMedia", query).Get("matches").Bool()
}

// Installed tells whether the page runs as an installed app.
func Installed() bool { return matches("(display-mode: standalone)") }

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
	hover := matches("(hover: hover)") && find(selector+":hover").Truthy()
	return hover || find(selector+":focus-within").Truthy() || feature("document", "hidden").Truthy()
}

// Zone is the reader's time zone by its name, such as Europe/Berlin.
func Zone() string {
	if !app.IsClient {
		return ""
	}
	zone := app.Window().Get("Intl").Call("DateTimeFormat").Call("resolvedOptions").Get("timeZone")
	if !zone.Truthy() {
		return ""
	}
	return zone.String()
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

// await calls a method and waits for its promise. An exception of the method is an error, too. The UI goroutine must
// not call it.
func await(ctx context.Context, of app.Value, method string, args ...any) (value app.Value, err error) {
	promise, err := called(of, method, args...)
	if err != nil || !promise.Truthy() { // some old methods promise nothing
		return promise, err
	}
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

// called calls a method, and returns its exception as an error.
func called(of app.Value, method string, args ...any) (result app.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("device: %s: %v", method, r)
		}
	}()
	return of.Call(method, args...), nil
}

func first(args []app.Value) app.Value {
	if len(args) == 0 {
		return app.Undefined()
	}
	return args[0]
}
