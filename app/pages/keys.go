package pages

import (
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// onKey listens to the keys of the whole page, wherever the focus is.
func onKey(pressed func(app.Value)) (stop func()) {
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

// chordTime is how long after g the page's letter may come.
const chordTime = 1500 * time.Millisecond

// chords are the letters after g.
var chords = map[string]string{"d": "/", "e": "/events", "r": "/rentals", "m": "/equipment", "p": "/employees", "c": "/customers",
	"n": "/notifications", "o": "/outbox", "t": "/sse-test", "a": "/admin", "s": "/settings"}

// keys are the app's shortcuts: Alt+T brings the keyboard to the toasts, Escape
// dismisses the one that has it, else the newest. Single letters can be switched
// off (WCAG 2.2, 2.1.4), and are never taken from who types.
func (r *Root) keys(ctx app.Context, e app.Value) {
	if !e.Get("key").Truthy() {
		return // of a password manager that fills in: an event without a key
	}
	key := e.Get("key").String()
	switch {
	case e.Get("altKey").Truthy() && e.Get("code").String() == "KeyT":
		buttons := app.Window().Get("document").Call("querySelectorAll", "#toasts .toast-close")
		if n := buttons.Length(); n > 0 {
			e.Call("preventDefault")
			r.before = active()
			buttons.Index(n - 1).Call("focus") // the newest
		}
	case key == "Escape" && len(r.state.View.Toasts) > 0 && r.dialog == nil:
		r.escape()
	case e.Get("altKey").Truthy() || e.Get("ctrlKey").Truthy() || e.Get("metaKey").Truthy() || typing() || r.dialog != nil || device.Setting(device.Shortcuts) == "off":
	case time.Since(r.chord) < chordTime:
		r.chord = time.Time{}
		if path := chords[key]; opens(path, r.state.User.Grant()) {
			e.Call("preventDefault")
			ctx.Dispatch(func(ctx app.Context) { navigate(ctx, path) })
		}
	case key == "g":
		r.chord = time.Now()
	case key == "/":
		e.Call("preventDefault")
		ctx.Dispatch(func(ctx app.Context) {
			if search := app.Window().GetElementByID(filterID("types")); search.Truthy() {
				search.Call("closest", "details").Set("open", true)
				search.Call("focus")
				return
			}
			navigate(ctx, "/events")
		})
	case key == "p":
		r.Live.WithClient(func(c *wasmclient.Client) {
			if r.state.View.Status.State == conn.Paused {
				c.Resume()
			} else {
				c.Pause()
			}
		})
	case key == "?":
		ctx.Dispatch(func(ctx app.Context) { r.open(ctx, text.Of("keys"), "", r.keyHelp) })
	}
}

// opens tells whether a path is one of a page that is open to somebody.
func opens(path string, g access.Grant) bool {
	return slices.ContainsFunc(sitemap, func(p page) bool { return p.pattern == path && p.open(g) })
}

func (r *Root) keyHelp() app.UI {
	var rows [][2]string
	for _, p := range sitemap {
		for letter, path := range chords {
			if path == p.pattern && p.open(r.state.User.Grant()) {
				rows = append(rows, [2]string{"g " + letter, text.Of("page." + p.key)})
			}
		}
	}
	rows = append(rows, [][2]string{{"/", text.Of("keys.filter")}, {"p", text.Of("keys.pause")}, {"Alt T", text.Of("keys.toasts")}, {"Esc", text.Of("keys.dismiss")}, {"?", text.Of("keys")}}...)
	return ui.El("div", "", ui.El("dl", "facts", ui.Each(len(rows), func(i int) app.UI {
		return ui.El("div", "", ui.El("dt", "", ui.TextEl("kbd", "", rows[i][0])), ui.TextEl("dd", "", rows[i][1]))
	})), ui.TextEl("p", "row-meta", text.Of("keys.off")))
}

// active is what has the focus.
func active() app.Value { return app.Window().Get("document").Get("activeElement") }

// typing tells whether keys are for a control.
func typing() bool {
	at := active()
	if !at.Truthy() {
		return false
	}
	switch at.Get("tagName").String() {
	case "INPUT", "TEXTAREA", "SELECT":
		return true
	}
	return false
}

// escape dismisses the toast that has the focus and gives that back, or the
// newest toast, unless somebody types.
func (r *Root) escape() {
	shown := r.state.View.Toasts
	if !active().Truthy() {
		return
	}
	key := active().Call("getAttribute", "data-key")
	if !key.Truthy() {
		if !typing() {
			r.dismiss(shown[len(shown)-1])
		}
		return
	}
	for _, t := range shown {
		if t.Key == key.String() {
			r.dismiss(t)
			return
		}
	}
}
