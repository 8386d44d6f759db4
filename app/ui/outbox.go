package ui

import (
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// Outbox lists what was written here, newest first. self names this tab.
func Outbox(items []outbox.Item, self string, retry, discard func(id string)) app.UI {
	if len(items) == 0 {
		return Empty(text.Of("outbox.empty"), text.Of("outbox.empty.text"))
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return El("ol", "outbox-items", Each(len(items), func(i int) app.UI {
		item := items[i]
		from := text.Clock(item.Written)
		if item.Tab != self {
			from = text.Of("outbox.elsewhere", from)
		}
		row := El("li", "").DataSet("outbox", string(item.State)).DataSet("item", item.ID)
		head := []app.UI{Line("span", "outbox-title", Describe(event.Event{Type: item.Type, Data: item.Data, Subject: item.Subject}, false)), Line("span", "row-meta", text.Label(string(item.Type))), Line("span", "row-meta", from)}
		switch item.State {
		case outbox.Sent:
			return row.Body(append(head, Line("code", "", item.Cursor.String()), Line("span", "row-meta", text.Of("outbox.took", text.Number(item.Done.Sub(item.Written).Milliseconds()))))...)
		case outbox.Rejected:
			again := text.Of("retry")
			if item.Code == wasmclient.EntityMoved {
				again = text.Of("outbox.anyway")
			}
			return row.Class("problem").Body(append(head, Line("span", "", item.Problem), El("span", "buttons", itemButton(again, item.ID, retry), itemButton(text.Of("discard"), item.ID, discard)))...)
		}
		return row.Body(append(head, Line("span", "chip chip-warning", text.Of("outbox.waiting")), itemButton(text.Of("discard"), item.ID, discard))...)
	}))
}

func itemButton(label, id string, do func(id string)) app.UI {
	return Button("button button-small", label).OnClick(on(func() { do(id) }), app.EventScope(label, id))
}
