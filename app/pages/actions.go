package pages

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// actionPause is how long the buttons of a subject do nothing after the last action, because the second press of a
// double click is not meant for the button that takes the place of the first.
const actionPause = time.Second

// isWaiting reports whether the buttons of a subject do nothing: from a press until the event has come back from the
// broker or was refused, and for actionPause after that.
func (h *host) isWaiting(subject string) bool {
	isRecent := func(at time.Time) bool { return time.Since(at) < actionPause }
	if isRecent(h.publishedAt[subject]) {
		return true
	}
	cursor := h.state.View.Cursor
	for _, i := range h.state.View.Outbox {
		if i.Subject != subject {
			continue
		}
		onItsWay := i.State == outbox.Sent && i.Cursor.Epoch == cursor.Epoch && i.Cursor.Seq > cursor.Seq
		if i.State == outbox.Queued || onItsWay || isRecent(i.Done) {
			return true
		}
	}
	return false
}

// hasRecentActions reports whether some buttons may have stopped waiting since the last render.
func (h *host) hasRecentActions() bool {
	isRecent := func(at time.Time) bool { return time.Since(at) < 3*actionPause }
	for _, at := range h.publishedAt {
		if isRecent(at) {
			return true
		}
	}
	return slices.ContainsFunc(h.state.View.Outbox, func(i outbox.Item) bool { return isRecent(i.Done) })
}

// An action is a button that publishes an event.
type action struct {
	typ     event.Type // of the event; a user who may not publish it gets no button
	subject string     // the button waits for earlier events of this subject; "" for an event without one
	scope   string     // unique among the buttons of the page
	version uint64     // the sequence number of the state that the button was made from; see button
	label   string
	press   func()
}

// button renders an action. While the button waits, a press does nothing, and the button keeps the focus.
//
// The version is part of the event scope, because go-app keeps the handler of an earlier render if the scope is the
// same.
func (h *host) button(a action) app.UI {
	if !access.CanPublish(h.grant(), a.typ) {
		return ui.El("span", "")
	}
	press := func(app.Context, app.Event) {
		if !h.isWaiting(a.subject) {
			a.press()
		}
	}
	button := ui.Button("button button-small", a.label).
		DataSet("act", a.scope).
		Aria("disabled", h.isWaiting(a.subject)).
		OnClick(press, app.EventScope(a.scope, a.label, a.version))
	return ui.Keyed(a.scope, button)
}

// keepFocus keeps the focus on a control of a card when the coming render moves the card. If the control goes away, the
// card gets the focus.
func keepFocus(ctx app.Context) {
	if !app.IsClient || !focusedElement().Truthy() {
		return
	}
	card := focusedElement().Call("closest", "[data-item]")
	if !card.Truthy() {
		return
	}
	cardSelector := attributeSelector("data-item", card.Call("getAttribute", "data-item"))
	controlSelector := cardSelector
	for _, name := range []string{"data-act", "href"} {
		if value := focusedElement().Call("getAttribute", name); value.Truthy() {
			controlSelector = cardSelector + " " + attributeSelector(name, value)
		}
	}
	ctx.Defer(func(app.Context) {
		if focusedElement().Truthy() && focusedElement().Get("tagName").String() != "BODY" {
			return
		}
		for _, selector := range []string{controlSelector, cardSelector} {
			if e := app.Window().Get("document").Call("querySelector", selector); e.Truthy() {
				e.Call("focus")
				return
			}
		}
	})
}

// attributeSelector returns the CSS selector of the elements with a value of an attribute.
func attributeSelector(name string, value app.Value) string {
	escaped := app.Window().Get("CSS").Call("escape", value.String()).String()
	return `[` + name + `="` + escaped + `"]`
}

// publish publishes an event of a type with these fields. The fields must be valid.
func (h *host) publish(t event.Type, data map[string]any) {
	e, err := event.New(t, data)
	if err != nil {
		panic(err) // the boards offer only valid events
	}
	h.send(e)
}

// send puts an event into the outbox without waiting for it.
func (h *host) send(e event.Event) {
	if h.publishedAt == nil {
		h.publishedAt = map[string]time.Time{}
	}
	// Tabs stay open for days, so old entries must go.
	maps.DeleteFunc(h.publishedAt, func(_ string, at time.Time) bool { return time.Since(at) > 3*actionPause })
	h.publishedAt[e.Stamp("", time.Now()).Subject] = time.Now()
	go h.live.Publish(context.Background(), e)
}

const (
	reasonID      = "reason"
	maxReasonSize = 300 // in characters
)

// confirm asks the user before something that cannot be undone. If field is not "", it also asks for a reason. It calls
// do with the reason when the user agrees.
func (h *host) confirm(label, question, field string, do func(reason string)) {
	h.ctx.Dispatch(func(ctx app.Context) {
		h.openDialog(ctx, label, "dialog-form", func() app.UI {
			return h.confirmation(label, question, field, do)
		})
	})
}

// confirmation renders the dialog of confirm.
func (h *host) confirmation(label, question, field string, do func(reason string)) app.UI {
	reason := ui.Slot(field != "", func() app.UI {
		input := ui.Input().
			ID(reasonID).
			Attr("type", "text").
			Attr("maxlength", maxReasonSize).
			Attr("autocomplete", "off")
		return ui.Field(reasonID, text.Label(field), input)
	})
	keep := ui.Button("button", text.Of("keep")).
		OnClick(func(app.Context, app.Event) { h.closeDialog() })
	buttons := ui.El("div", "buttons",
		ui.SubmitButton(label).ID("confirm"),
		keep)
	submit := func(_ app.Context, e app.Event) {
		e.PreventDefault()
		typed := ""
		if control := app.Window().GetElementByID(reasonID); control.Truthy() {
			typed = control.Get("value").String()
		}
		h.closeDialog()
		do(typed)
	}
	form := ui.Submit("form",
		ui.TextEl("p", "", question),
		reason,
		buttons,
	).OnSubmit(submit, app.EventScope(label, question))
	return ui.Keyed(label+question, form)
}
