package pages

import (
	"cmp"
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/projection"
)

// The ranks of attention items, the most urgent first.
const (
	rankOverdue = iota
	rankBlocked
	rankDecision
	rankFault
)

// A rankedItem is an attention item with its rank.
type rankedItem struct {
	ui.AttentionItem
	rank int
}

// maxAttentionItems is the most items that the dashboard shows.
const maxAttentionItems = 8

// attentionCard renders the card of the things that somebody should look at.
func attentionCard(h *host) app.UI {
	items := attentionItems(h.state.Entities)
	list := ui.If(h.hasNoData(), ui.NothingKnown).
		ElseIf(len(items) == 0, func() app.UI {
			return ui.Empty(text.Of("attention.empty"), text.Of("attention.empty.text"))
		}).
		Else(func() app.UI { return ui.AttentionList(items, h.now) })
	return ui.Card("aside-card", "attention", text.Of("attention"), list)
}

// attentionItems returns the items for the open entities that somebody should look at. The most urgent and, among
// these, the latest come first.
func attentionItems(entities []*projection.Entity) []ui.AttentionItem {
	var ranked []*rankedItem
	for _, e := range entities {
		if !e.Closed.IsZero() {
			continue
		}
		if item, needed := attentionItem(e); needed {
			item.Urgent = item.rank < rankDecision
			item.Since, item.Link = e.Time, notify.PagePath(lastEvent(e))
			ranked = append(ranked, &item)
		}
	}
	slices.SortFunc(ranked, func(a, b *rankedItem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.Since.Compare(a.Since), cmp.Compare(a.Title, b.Title))
	})
	var items []ui.AttentionItem
	for _, item := range ranked[:min(len(ranked), maxAttentionItems)] {
		items = append(items, item.AttentionItem)
	}
	return items
}

// attentionItem returns title, detail and rank of the item for an entity. needed is false if nobody has to look at it.
func attentionItem(e *projection.Entity) (item rankedItem, needed bool) {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	waitsForDecision := e.Type == event.TypeTimesheetUpdated && status == "submitted" ||
		e.Type == event.TypeLeaveRequestUpdated && status == "pending"
	switch {
	case e.Type == event.TypeRentalOverdue:
		item.Title, item.rank = ui.Describe(lastEvent(e), false), rankOverdue
		if o.Has("expected_end_date") {
			item.Detail = text.Of("attention.due", text.Date(o.Text("expected_end_date")))
		}
	case e.Type == event.TypeMaintenanceRequired:
		item.Title, item.Detail, item.rank = o.Text("equipment_name"), o.Text("issue"), rankFault
		if o.Bool("blocks_rental") {
			item.Detail, item.rank = text.Of("attention.blocked", item.Detail), rankBlocked
		}
	case waitsForDecision:
		item.Title, item.rank = ui.Describe(lastEvent(e), false), rankDecision
		item.Detail = text.Of("attention.decision")
	default:
		return item, false
	}
	return item, true
}
