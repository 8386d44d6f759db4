package ui

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Toasts are the brief messages. They never take the focus. Their clock stands
// while the pointer or the focus is on them: hold looks, whenever that may be another.
func Toasts(toasts []toast.Toast, more int, dismiss func(toast.Toast), hold func()) app.UI {
	held := func(ctx app.Context, _ app.Event) { ctx.Defer(func(app.Context) { hold() }) } // the focus is between two places
	return El("aside", "", Each(len(toasts), func(i int) app.UI {
		t := toasts[i]
		return El("div", "", Line("p", "toast-text", t.Text),
			El("div", "toast-actions", If(t.URL != "", func() app.UI { return Link("button button-small", t.URL, t.Action) }),
				Button("toast-close", "✕").DataSet("key", t.Key).Aria("label", text.Of("toasts.dismiss", t.Text)).OnClick(on(func() { dismiss(t) }), app.EventScope(t.Key))),
		).Class("toast", "severity-"+string(t.Severity)).DataSet("toast", t.ID).DataSet("severity", string(t.Severity))
	}),
		If(more > 0, func() app.UI {
			return Link("toast-more", "/events", text.Of("toasts.more", text.Number(more)))
		}),
	).ID("toasts").Class("toasts").Aria("label", text.Of("toasts")).OnMouseEnter(held).OnMouseLeave(held).On("focusin", held).On("focusout", held)
}
