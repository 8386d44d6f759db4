package ui

import (
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// Outbox lists the events that the user has written in this browser, newest first. thisTab is the id of this tab. The
// buttons call retry and discard with the id of an item.
func Outbox(items []outbox.Item, thisTab string, retry, discard func(id string)) app.UI {
	if len(items) == 0 {
		return Empty(text.Of("outbox.empty"), text.Of("outbox.empty.text"))
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return El("ol", "outbox-items", Each(len(items), func(i int) app.UI {
		return outboxRow(items[i], thisTab, retry, discard)
	}))
}

func outboxRow(item outbox.Item, thisTab string, retry, discard func(id string)) app.UI {
	from := text.Clock(item.Written)
	if item.Tab != thisTab {
		from = text.Of("outbox.elsewhere", from)
	}
	written := event.Event{Type: item.Type, Data: item.Data, Subject: item.Subject}
	cells := []app.UI{
		TextEl("span", "outbox-title", Describe(written, false)),
		TextEl("span", "row-meta", text.Label(string(item.Type))),
		TextEl("span", "row-meta", from),
	}
	row := El("li", "").
		DataSet("outbox", string(item.State)).
		DataSet("item", item.ID)
	switch item.State {
	case outbox.Sent:
		took := text.Number(item.Done.Sub(item.Written).Milliseconds())
		cells = append(cells,
			TextEl("code", "", item.Cursor.String()),
			TextEl("span", "row-meta", text.Of("outbox.took", took)))
	case outbox.Rejected:
		retryLabel := text.Of("retry")
		if item.Code == wasmclient.EntityMoved {
			retryLabel = text.Of("outbox.anyway")
		}
		row = row.Class("problem")
		cells = append(cells,
			TextEl("span", "", item.Problem),
			El("span", "buttons",
				itemButton(retryLabel, item.ID, retry),
				itemButton(text.Of("discard"), item.ID, discard)))
	default:
		cells = append(cells,
			TextEl("span", "chip chip-warning", text.Of("outbox.waiting")),
			itemButton(text.Of("discard"), item.ID, discard))
	}
	return row.Body(cells...)
}

func itemButton(label, id string, press func(id string)) app.UI {
	return Button("button button-small", label).
		OnClick(onEvent(func() { press(id) }), app.EventScope(label, id))
}
