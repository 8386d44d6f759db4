package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Toasts renders the brief messages. They never take the focus. more is the number of toasts that wait for room.
//
// A toast must stay while the pointer or the focus is on the toasts. Toasts calls holdChanged when the pointer or the
// focus may have entered or left them.
func Toasts(toasts []toast.Toast, more int, dismiss func(toast.Toast), holdChanged func()) app.UI {
	changed := func(ctx app.Context, _ app.Event) {
		// Deferred, because the focus is nowhere while it moves from one element to another.
		ctx.Defer(func(app.Context) { holdChanged() })
	}
	rows := Each(len(toasts), func(i int) app.UI { return toastRow(toasts[i], dismiss) })
	waiting := If(more > 0, func() app.UI {
		return Link("toast-more", "/events", text.Of("toasts.more", text.Number(more)))
	})
	return El("aside", "", rows, waiting).
		ID("toasts").
		Class("toasts").
		Aria("label", text.Of("toasts")).
		OnMouseEnter(changed).
		OnMouseLeave(changed).
		On("focusin", changed).
		On("focusout", changed)
}

func toastRow(t toast.Toast, dismiss func(toast.Toast)) app.UI {
	open := If(t.URL != "", func() app.UI { return Link("button button-small", t.URL, t.Action) })
	closeButton := Button("toast-close", "✕").
		DataSet("key", t.Key).
		Aria("label", text.Of("toasts.dismiss", t.Text)).
		OnClick(onEvent(func() { dismiss(t) }), app.EventScope(t.Key))
	return El("div", "",
		TextEl("p", "toast-text", t.Text),
		El("div", "toast-actions", open, closeButton),
	).
		Class("toast", "severity-"+string(t.Severity)).
		DataSet("toast", t.ID).
		DataSet("severity", string(t.Severity))
}
