package pages

import (
	"errors"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// A dialog stands over the page until the user or the program closes it. There is one at a time. The browser keeps the
// focus in the dialog and gives it back to the page afterwards.
type dialog struct {
	title   string
	class   string
	body    func() app.UI
	form    *ui.Form     // filled when the dialog is shown; nil for a dialog without a form
	initial event.Object // the values that form is filled with
	shown   bool         // the browser shows the dialog
}

const dialogID = "dialog"

// dialogElement renders the element that holds the dialog.
func (h *host) dialogElement() app.UI {
	closed := func(_ app.Context, e app.Event) {
		// The event may be of the dialog before: then the present one is not yet shown, or is open.
		if h.dialog != nil && h.dialog.shown && !e.Get("target").Get("open").Bool() {
			h.dialog = nil
		}
	}
	element := ui.El("dialog", "").
		ID(dialogID).
		On("close", closed).
		Aria("labelledby", "dialog-title")
	d := h.dialog
	if d == nil {
		return element
	}
	closeButton := ui.Button("toast-close", "✕").
		Aria("label", text.Of("close")).
		OnClick(func(app.Context, app.Event) { h.closeDialog() })
	head := ui.El("div", "dialog-head",
		ui.TextEl("h2", "", d.title).ID("dialog-title"),
		closeButton)
	return element.Class("dialog", d.class).Body(head, d.body())
}

// openDialog shows a dialog.
func (h *host) openDialog(ctx app.Context, title, class string, body func() app.UI) {
	h.showDialog(ctx, &dialog{title: title, class: class, body: body})
}

// showDialog shows a dialog after the next render and fills its form.
func (h *host) showDialog(ctx app.Context, d *dialog) {
	h.dialog = d
	ctx.Defer(func(app.Context) {
		element := app.Window().GetElementByID(dialogID)
		if element.Truthy() && !element.Get("open").Bool() {
			element.Call("showModal")
		}
		d := h.dialog
		if d == nil {
			return
		}
		d.shown = true
		if d.form != nil {
			d.form.Fill(d.initial)
		}
	})
}

// closeDialog closes the dialog. The element then sends the event close, whose handler removes the dialog.
func (h *host) closeDialog() {
	if element := app.Window().GetElementByID(dialogID); element.Truthy() {
		element.Call("close")
	}
}

// showEvent shows the details of an event.
func (h *host) showEvent(e event.Event) {
	_, ofUser := access.RedactForPerson(h.grant(), e)
	h.ctx.Dispatch(func(ctx app.Context) {
		h.openDialog(ctx, text.Label(string(e.Type)), "drawer", func() app.UI {
			return ui.Drawer(e, ofUser, time.Now())
		})
	})
}

// showForm shows the form of an event type and publishes the event that the user writes. The form begins with the
// values of initial. The fields named by fixed keep these values and have no control.
func (h *host) showForm(title, sendLabel string, t event.Type, initial event.Object, fixed ...string) {
	f := &ui.Form{ID: "ask", Type: t, Fixed: fixed, Action: sendLabel, Cancel: h.closeDialog}
	fixedValues := event.Object{}
	for _, name := range fixed {
		if raw := initial.Get(name); raw != nil {
			fixedValues = fixedValues.With(name, raw)
		}
	}
	f.Send = func() {
		e, err := f.Read(fixedValues)
		f.Problem = nil
		if err != nil {
			errors.As(err, &f.Problem)
			h.ctx.Defer(f.FocusProblem)
			return
		}
		h.send(e)
		h.closeDialog()
	}
	// Each type has a tag of its own, so that go-app never gives the controls of one form to another.
	body := func() app.UI { return app.Elem("y-ask-" + tagOf(t)).Body(f.Render()) }
	h.ctx.Dispatch(func(ctx app.Context) {
		h.showDialog(ctx, &dialog{title: title, class: "dialog-form", body: body, form: f, initial: initial})
	})
}

// tagOf returns a type as part of the name of an element.
func tagOf(t event.Type) string { return strings.ReplaceAll(string(t), "_", "-") }
