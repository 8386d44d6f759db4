package pages

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// addKeyListener calls pressed for every key of the page, wherever the focus is, until remove is called.
func addKeyListener(pressed func(app.Value)) (remove func()) {
	f := app.FuncOf(func(_ app.Value, args []app.Value) any {
		pressed(args[0])
		return nil
	})
	app.Window().Call("addEventListener", "keydown", f)
	return func() {
		app.Window().Call("removeEventListener", "keydown", f)
		f.Release()
	}
}

// chordTimeout is how long after the key g the key of a page may come.
const chordTimeout = 1500 * time.Millisecond

// chords maps the key after g to the path of a page.
var chords = map[string]string{
	"d": "/",
	"e": "/events",
	"r": "/rentals",
	"m": "/equipment",
	"p": "/employees",
	"c": "/customers",
	"n": "/notifications",
	"o": "/outbox",
	"t": "/sse-test",
	"a": "/admin",
	"s": "/settings",
}

// handleKey runs the shortcuts of the app. Alt+T moves the focus to the toasts. Escape dismisses the toast with the
// focus, otherwise the newest toast. The user can switch off the shortcuts of single keys (WCAG 2.2, 2.1.4), and they
// do nothing while the user types.
func (r *Root) handleKey(ctx app.Context, e app.Value) {
	if !e.Get("key").Truthy() {
		return // password managers that fill in a form send events without a key
	}
	h := &r.host
	key := e.Get("key").String()
	alt := e.Get("altKey").Truthy()
	modified := alt || e.Get("ctrlKey").Truthy() || e.Get("metaKey").Truthy()
	switch {
	case alt && e.Get("code").String() == "KeyT":
		r.focusToasts(e)
	case key == "Escape" && len(h.state.View.Toasts) > 0 && h.dialog == nil:
		r.handleEscape()
	case modified || isTyping() || h.dialog != nil || device.Setting(device.Shortcuts) == "off":
		return
	case time.Since(r.chordBegan) < chordTimeout:
		r.chordBegan = time.Time{}
		if path := chords[key]; canOpen(path, h.grant()) {
			e.Call("preventDefault")
			ctx.Dispatch(func(ctx app.Context) { navigate(ctx, path) })
		}
	case key == "g":
		r.chordBegan = time.Now()
	case key == "/":
		e.Call("preventDefault")
		ctx.Dispatch(focusFilter)
	case key == "p":
		h.live.WithClient(func(c *wasmclient.Client) {
			if h.state.View.Status.State == conn.Paused {
				c.Resume()
			} else {
				c.Pause()
			}
		})
	case key == "?":
		ctx.Dispatch(func(ctx app.Context) {
			h.openDialog(ctx, text.Of("keys"), "", func() app.UI { return shortcutHelp(h) })
		})
	}
}

// focusToasts moves the focus to the newest toast.
func (r *Root) focusToasts(e app.Value) {
	buttons := app.Window().Get("document").Call("querySelectorAll", "#toasts .toast-close")
	if n := buttons.Length(); n > 0 {
		e.Call("preventDefault")
		r.focusBeforeToasts = focusedElement()
		buttons.Index(n - 1).Call("focus")
	}
}

// focusFilter moves the focus to the filters of the history. It opens the history first if another page is shown.
func focusFilter(ctx app.Context) {
	if filter := app.Window().GetElementByID(filterID("types")); filter.Truthy() {
		filter.Call("closest", "details").Set("open", true)
		filter.Call("focus")
		return
	}
	navigate(ctx, "/events")
}

// handleEscape dismisses the toast with the focus. If no toast has the focus, it dismisses the newest one, unless the
// user types.
func (r *Root) handleEscape() {
	toasts := r.host.state.View.Toasts
	if !focusedElement().Truthy() {
		return
	}
	key := focusedElement().Call("getAttribute", "data-key")
	if !key.Truthy() {
		if !isTyping() {
			r.dismissToast(toasts[len(toasts)-1])
		}
		return
	}
	for _, t := range toasts {
		if t.Key == key.String() {
			r.dismissToast(t)
			return
		}
	}
}

// shortcutHelp lists the shortcuts that the user may use.
func shortcutHelp(h *host) app.UI {
	var rows []ui.Fact
	add := func(keys, words string) {
		rows = append(rows, ui.Fact{Name: ui.TextEl("kbd", "", keys), Value: app.Text(words)})
	}
	for _, route := range routes {
		for key, path := range chords {
			if path == route.pattern && route.allows(h.grant()) {
				add("g "+key, text.Of("page."+route.key))
			}
		}
	}
	add("/", text.Of("keys.filter"))
	add("p", text.Of("keys.pause"))
	add("Alt T", text.Of("keys.toasts"))
	add("Esc", text.Of("keys.dismiss"))
	add("?", text.Of("keys"))
	return ui.El("div", "",
		ui.Facts("facts", rows),
		ui.TextEl("p", "row-meta", text.Of("keys.off")))
}

// focusedElement returns the element that has the focus.
func focusedElement() app.Value { return app.Window().Get("document").Get("activeElement") }

// isTyping reports whether the focus is on a control that takes keys.
func isTyping() bool {
	focused := focusedElement()
	if !focused.Truthy() {
		return false
	}
	switch focused.Get("tagName").String() {
	case "INPUT", "TEXTAREA", "SELECT":
		return true
	}
	return false
}
