package ui

import (
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// Outbox lists what was written here, newest first. self names this tab.
func Outbox(items []outbox.Item, self string, retry, discard func(id string)) app.UI {
	if len(items) == 0 {
		return Empty("Nothing sent yet", "What you send appears here: waiting, stored, or refused with the reason.")
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return app.Ol().Class("sent").Body(app.Range(items).Slice(func(i int) app.UI {
		item := items[i]
		from := Clock(item.Written)
		if item.Tab != self {
			from += ", from another tab or visit"
		}
		row := app.Li().DataSet("outbox", string(item.State)).DataSet("item", item.ID)
		head := []app.UI{app.Span().Text(Label(string(item.Type))), app.Span().Class("row-meta").Text(from)}
		switch item.State {
		case outbox.Sent:
			return row.Body(append(head, app.Code().Text(item.Cursor.String()), app.Span().Class("row-meta").Text("took "+item.Done.Sub(item.Written).Round(time.Millisecond).String()))...)
		case outbox.Rejected:
			again := "Retry"
			if item.Code == wasmclient.EntityMoved {
				again = "Send anyway"
			}
			return row.Class("problem").Body(append(head, app.Span().Text(item.Problem), app.Span().Class("buttons").Body(
				itemButton(again, item.ID, retry), itemButton("Discard", item.ID, discard)))...)
		}
		return row.Body(append(head, app.Span().Class("chip", "chip-warning").Text("Waiting to be sent"), itemButton("Discard", item.ID, discard))...)
	}))
}

func itemButton(text, id string, do func(id string)) app.UI {
	return app.Button().Type("button").Class("button", "button-small").Text(text).OnClick(on(func() { do(id) }), app.EventScope(text, id))
}
