package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

func TestOutboxShowsTheNewestFirst(t *testing.T) {
	require.Contains(t, html(Outbox(nil, "tab", nil, nil)), "Nothing sent yet")
	item := func(id string, state outbox.State) outbox.Item {
		return outbox.Item{
			ID:      id,
			Type:    event.TypeRentalOverdue,
			Data:    event.Example(event.TypeRentalOverdue).Data,
			Tab:     "tab",
			State:   state,
			Written: now,
			Done:    now.Add(time.Second),
		}
	}
	moved := item("c", outbox.Rejected)
	moved.Code, moved.Problem, moved.Tab = wasmclient.EntityMoved, "It has changed.", "other"
	items := []outbox.Item{item("a", outbox.Sent), item("b", outbox.Queued), moved}
	ignore := func(string) {}
	markup := html(Outbox(items, "tab", ignore, ignore))
	requireParts(t, markup, `data-outbox="sent"`, `data-outbox="queued"`, `data-outbox="rejected"`, "took 1000 ms",
		"Waiting to be sent", "It has changed.", "Send anyway", "Discard", "from another tab")
	require.Less(t, strings.Index(markup, `data-item="c"`), strings.Index(markup, `data-item="a"`))
}

func TestToastsCanBeDismissed(t *testing.T) {
	late := toast.Toast{ID: "a", Severity: event.Error, Text: "Late"}
	markup := html(Toasts([]toast.Toast{late}, 4, func(toast.Toast) {}, func() {}))
	requireParts(t, markup, `data-toast="a"`, `data-severity="error"`, "Dismiss: Late", "+4 more")
}

func TestItemShowsStateFactsAndActions(t *testing.T) {
	item := Item{
		ID:      "7",
		Title:   "Rental 7",
		Link:    "/rentals/7",
		State:   "Active",
		Tone:    "success",
		Late:    "2 days",
		Facts:   []Fact{TextFact("Customer", "Ann <b>")},
		Actions: []app.UI{Button("button", "Pay")},
	}
	markup := html(item.Card())
	requireParts(t, markup, `data-item="7"`, `href="/rentals/7"`, "chip-success", "Active", "chip-error", "2 days",
		"Customer", "Ann &lt;b&gt;", "Pay")
	plain := html(Item{ID: "8", Title: "Rental 8"}.Card())
	require.NotContains(t, plain, "<a")
	require.NotContains(t, plain, "chip-")
}

func TestPartButtonsPressTheShownPart(t *testing.T) {
	parts := []Part{{Key: "out", Label: "Out"}, {Key: "late", Label: "Overdue", Cards: []app.UI{El("li", "")}}}
	markup := html(PartButtons("rentals", parts, "late", func(string) {}))
	require.Equal(t, 1, strings.Count(markup, "aria-pressed")-strings.Count(markup, `aria-pressed="false"`))
	require.Less(t, strings.Index(markup, "Out"), strings.Index(markup, "Overdue"))
	require.Regexp(t, `board-part-count">1<`, markup)
}

func TestTableHasHeadingsAndRows(t *testing.T) {
	markup := html(Table("table", []string{"Name", "Since"}, 2, func(int) app.UI { return El("tr", "row") }))
	require.Equal(t, 2, strings.Count(markup, `scope="col"`))
	require.Equal(t, 2, strings.Count(markup, `class="row"`))
}

func TestAttentionListMarksUrgentItems(t *testing.T) {
	markup := html(AttentionList([]AttentionItem{
		{Title: "Rental 4", Detail: "2 days", Link: "/rentals/4", Urgent: true, Since: now},
		{Title: "Lift", Detail: "Tyre", Link: "/equipment/7", Since: now},
	}, now))
	requireParts(t, markup, "attention-urgent", "attention-normal", `href="/rentals/4"`, "Tyre")
}

func TestMessageKeepsItsPlaceWhenEmpty(t *testing.T) {
	require.Contains(t, html(Message("banner", "status", "Saved.")), `role="status"`)
	require.NotContains(t, html(Message("banner", "status", "")), "banner")
	require.Contains(t, html(Message("banner", "status", "")), "<div")
}

func TestKeyedElementsOfTwoThingsHaveTwoTags(t *testing.T) {
	one, two := html(Keyed("rental-1")), html(Keyed("rental-2"))
	require.NotEqual(t, one, two)
	require.Equal(t, one, html(Keyed("rental-1")))
}

func TestCardIsNamedByItsHeading(t *testing.T) {
	for _, card := range []app.UI{
		Card("", "plan", "Plan", app.Text("body")),
		HeadedCard("plan-card", "plan", "Plan", []app.UI{Link("", "/", "All")}, app.Text("body")),
	} {
		requireParts(t, html(card), `aria-labelledby="plan-title"`, `id="plan-title"`, "Plan", "body")
	}
}

func TestSkeletonsAreHiddenFromScreenReadersOrBusy(t *testing.T) {
	require.Contains(t, html(SkeletonPage()), "aria-busy")
	require.Contains(t, html(SkeletonRows()), "aria-hidden")
	require.Equal(t, skeletonRows, strings.Count(html(SkeletonRows()), `class="skeleton"`))
}

func TestTileAndLegendShowTheirTexts(t *testing.T) {
	requireParts(t, html(Tile("rate", "Events", "1.5", "30 in all")), `data-tile="rate"`, "Events", "1.5", "30 in all")
	requireParts(t, html(Legend("plan-down", "Down")), "plan-down", "Down")
}
