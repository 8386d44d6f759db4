package pages

import (
	"errors"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A dialog stands over the page until it is closed. There is one at a time; the
// browser keeps the focus in it and gives it back.
type dialog struct {
	title, class string
	body         func() app.UI
	form         *ui.Form // where it is one
	fixed        event.Object
	shown        bool
}

const dialogID = "dialog"

// dialogHost is where dialogs are shown.
func (r *Root) dialogHost() app.UI {
	d := r.dialog
	host := ui.El("dialog", "").ID(dialogID).On("close", func(_ app.Context, e app.Event) {
		if r.dialog != nil && r.dialog.shown && !e.Get("target").Get("open").Bool() { // else it is of the one before
			r.dialog = nil
		}
	}).Aria("labelledby", "dialog-title")
	if d == nil {
		return host
	}
	return host.Class("dialog", d.class).Body(
		ui.El("div", "dialog-head", ui.TextEl("h2", "", d.title).ID("dialog-title"),
			ui.Button("toast-close", "✕").Aria("label", text.Of("close")).OnClick(func(app.Context, app.Event) { r.close() })),
		d.body())
}

// open shows a dialog.
func (r *Root) open(ctx app.Context, title, class string, body func() app.UI) {
	r.dialog = &dialog{title: title, class: class, body: body}
	r.showDialog(ctx)
}

func (r *Root) showDialog(ctx app.Context) {
	ctx.Defer(func(app.Context) {
		host := app.Window().GetElementByID(dialogID)
		if host.Truthy() && !host.Get("open").Bool() {
			host.Call("showModal")
		}
		if d := r.dialog; d != nil {
			if d.shown = true; d.form != nil {
				d.form.Fill(d.fixed)
			}
		}
	})
}

// close closes it; the element says so, and the page forgets it.
func (r *Root) close() {
	if host := app.Window().GetElementByID(dialogID); host.Truthy() {
		host.Call("close")
	}
}

// showEvent opens the details of an event.
func (r *Root) showEvent(e event.Event) {
	_, self := access.RedactForPerson(r.state.User.Grant(), e)
	r.ctx.Dispatch(func(ctx app.Context) {
		r.open(ctx, text.Label(string(e.Type)), "drawer", func() app.UI { return ui.Drawer(e, self, time.Now()) })
	})
}

// ask opens the form of a type. fixed is what the event is about, and what the
// form begins with; names are the fields that are not asked for.
func (r *Root) ask(title, action string, t event.Type, fixed event.Object, names ...string) {
	f := &ui.Form{ID: "ask", Type: t, Fixed: names, Action: action, Cancel: r.close}
	keep := event.Object{}
	for _, name := range names {
		if raw := fixed.Get(name); raw != nil {
			keep = keep.With(name, raw)
		}
	}
	f.Send = func() {
		e, err := f.Read(keep)
		if f.Problem = nil; err != nil {
			errors.As(err, &f.Problem)
			r.ctx.Defer(f.FocusProblem)
			return
		}
		r.send(e)
		r.close()
	}
	r.ctx.Dispatch(func(ctx app.Context) {
		r.dialog = &dialog{title: title, class: "dialog-form", form: f, fixed: fixed,
			body: func() app.UI { return app.Elem("y-ask-" + tag(t)).Body(f.Render()) }}
		r.showDialog(ctx)
	})
}

// tag is a type as part of an element's name.
func tag(t event.Type) (s string) {
	for _, c := range string(t) {
		if c == '_' {
			c = '-'
		}
		s += string(c)
	}
	return s
}
