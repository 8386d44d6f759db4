package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// feature returns a property of the browser by its path. It returns undefined if the browser lacks the
// property, or throws: some browsers throw if storage is blocked, in private windows and in web views.
// Value.Get would end the program then, because Go can recover from exceptions of calls only.
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

// Setting returns a setting of the user on this device. It returns "" if there is none, or if the
// browser keeps no settings.
func Setting(name string) (value string) {
	defer func() { _ = recover() }() // browsers throw if storage is blocked
	if v := feature("localStorage").Call("getItem", name); v.Truthy() {
		return v.String()
	}
	return ""
}

// Set stores a setting; an empty value deletes it.
func Set(name, value string) {
	defer func() { _ = recover() }() // browsers throw if storage is blocked or full
	if value == "" {
		feature("localStorage").Call("removeItem", name)
		return
	}
	feature("localStorage").Call("setItem", name, value)
}

// The names of settings, with their values. The page's loader reads the theme too.
const (
	Theme     = "theme"      // light or dark; empty means the system's theme
	Shortcuts = "shortcuts"  // off, or empty for on
	Style     = "style"      // text.Style as JSON
	ToastTime = "toast-time" // 2 for twice as long, never for toasts that stay, or empty
	Debug     = "sse-debug"  // true, or empty for no debug log
)

// ApplyTheme shows a theme: light, dark, or empty for the system's.
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
	// Errors are ignored, because the app works without its badge.
	go func() { _, _ = await(context.Background(), feature("navigator"), method, n) }()
}

// Save offers a file to the user as a download.
func Save(name, media, content string) {
	if !app.IsClient {
		return
	}
	window := app.Window()
	bytes := window.Get("Uint8Array").New(len(content)) // as a string, the content would lose its byte order mark
	app.CopyBytesToJS(bytes, []byte(content))
	blob := window.Get("Blob").New([]any{bytes}, map[string]any{"type": media})
	url := window.Get("URL").Call("createObjectURL", blob)
	link := window.Get("document").Call("createElement", "a")
	link.Set("href", url)
	link.Set("download", name)
	link.Call("click")
	window.Get("URL").Call("revokeObjectURL", url)
}

// Copy copies a text into the clipboard. It returns before the text is there. If the page may not use the
// clipboard, as on a plain HTTP address, Copy selects the text and lets the browser copy it.
func Copy(content string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), copyTimeout)
		defer cancel()
		if clipboard := feature("navigator", "clipboard"); clipboard.Truthy() {
			if _, err := await(ctx, clipboard, "writeText", content); err == nil {
				return
			}
		}
		document := app.Window().Get("document")
		area := document.Call("createElement", "textarea")
		area.Set("value", content)
		document.Get("body").Call("append", area)
		area.Call("select")
		document.Call("execCommand", "copy")
		area.Call("remove")
	}()
}

// copyTimeout is how long Copy waits for the clipboard.
const copyTimeout = 3 * time.Second

// matches reports whether a media query holds for the page.
func matches(query string) bool {
	return app.IsClient && app.Window().Call("matchMedia", query).Get("matches").Bool()
}

// Installed reports whether the page runs as an installed app.
func Installed() bool { return matches("(display-mode: standalone)") }

// Apple reports whether the browser installs apps only by its own menu, as Apple's browsers do.
func Apple() bool { return app.IsClient && app.Window().Call("goappIsAppleBrowser").Bool() }

// Narrow reports whether the page has the layout of a phone. It calls watch, for the life of the page,
// when that changes; nil disables that.
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

// Held reports whether the pointer or the focus is on the element of a selector, or the page is
// hidden. On a touch screen only the focus counts, because a finger leaves no pointer behind.
func Held(selector string) bool {
	hover := matches("(hover: hover)") && find(selector+":hover").Truthy()
	return hover || find(selector+":focus-within").Truthy() || feature("document", "hidden").Truthy()
}

// Zone returns the name of the reader's time zone, such as Europe/Berlin.
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

// find returns the first element of a selector, or null.
func find(selector string) app.Value {
	if !app.IsClient {
		return app.Undefined()
	}
	return app.Window().Get("document").Call("querySelector", selector)
}

// Above reports whether the top of the element of a selector is scrolled out of sight.
func Above(selector string) bool {
	e := find(selector)
	return e.Truthy() && e.Call("getBoundingClientRect").Get("top").Float() < 0
}

// ScrollTo brings the element of a selector into view.
func ScrollTo(selector string) {
	if e := find(selector); e.Truthy() {
		e.Call("scrollIntoView")
	}
}

// await calls a method and waits for its promise. An exception of the method is an error too. The UI
// goroutine must not call await.
func await(ctx context.Context, object app.Value, method string, args ...any) (value app.Value, err error) {
	promise, err := call(object, method, args...)
	if err != nil || !promise.Truthy() { // some old methods return no promise
		return promise, err
	}
	type result struct {
		value app.Value
		err   error
	}
	settled := make(chan result, 1) // one of the two functions is called, once
	resolve := app.FuncOf(func(_ app.Value, args []app.Value) any {
		settled <- result{value: first(args)}
		return nil
	})
	reject := app.FuncOf(func(_ app.Value, args []app.Value) any {
		err := errors.New("rejected")
		if reason := first(args); reason.Truthy() {
			err = errors.New(reason.Call("toString").String())
		}
		settled <- result{err: err}
		return nil
	})
	promise.Call("then", resolve, reject)
	select {
	case r := <-settled:
		resolve.Release()
		reject.Release()
		return r.value, r.err
	case <-ctx.Done():
		return nil, ctx.Err() // the promise may still call the functions
	}
}

// call calls a method, and returns its exception as an error.
func call(object app.Value, method string, args ...any) (result app.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("device: %s: %v", method, r)
		}
	}()
	return object.Call(method, args...), nil
}

// first returns the first argument, or undefined.
func first(args []app.Value) app.Value {
	if len(args) == 0 {
		return app.Undefined()
	}
	return args[0]
}
