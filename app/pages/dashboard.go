package pages

import (
	"slices"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// feedRows is the most rows of the feed. The history has the other events.
const feedRows = 40

// dashboardPage is the page /. Its feed does not change while the user has scrolled down in it.
type dashboardPage struct {
	frozen       []store.Received // the events of the feed while it must not change; nil otherwise
	frozenNewest string           // the cursor of the newest event of frozen
	shown        []store.Received // the events of the feed after the last change of the state
}

// feedSelector selects the card of the feed.
const feedSelector = ".feed-card"

func (p *dashboardPage) arrive(h *host, a arrival) {
	if a != stateChanged {
		return
	}
	scrolledDown := h.isOpen("dashboard") && device.Above(feedSelector)
	switch {
	case !scrolledDown:
		p.frozen = nil
	case p.frozen == nil && len(p.shown) > 0:
		p.frozen, p.frozenNewest = p.shown, p.shown[0].Cursor
	}
	p.shown = p.frozen
	if p.shown == nil {
		p.shown = h.state.View.Events
	}
}

func (p *dashboardPage) forget() { *p = dashboardPage{} }

// unseen returns the number of events that have come since the feed stopped changing.
func (p *dashboardPage) unseen(events []store.Received) int {
	if p.frozen == nil {
		return 0
	}
	at := slices.IndexFunc(events, func(e store.Received) bool { return e.Cursor == p.frozenNewest })
	if at < 0 {
		return len(events)
	}
	return at
}

func (p *dashboardPage) render(h *host) app.UI {
	v := h.state.View
	figures := ui.If(h.hasNoData(), ui.SkeletonFigures).Else(func() app.UI {
		return ui.Figures(v.Figures, v.Currency, numericTrends(h.state.Trends), h.asOf(), h.now)
	})
	columns := ui.El("div", "columns",
		p.feedCard(h),
		attentionCard(h))
	return h.frame(text.Of("page.dashboard"), figures, columns)
}

func (p *dashboardPage) feedCard(h *host) app.UI {
	events := h.state.View.Events
	unseen := p.unseen(events)
	if p.frozen != nil {
		events = p.frozen
	}
	feed := ui.Feed{Events: events, Grant: h.grant(), Now: h.now, Max: feedRows, Open: h.showEvent}
	showUnseen := func(app.Context, app.Event) {
		p.frozen = nil
		device.ScrollTo(feedSelector)
	}
	news := ui.El("div", "feed-news", ui.If(unseen > 0, func() app.UI {
		return ui.Button("button button-small button-primary", text.Of("feed.news", text.Number(unseen))).
			OnClick(showUnseen)
	}))
	historyLink := ui.Link("quiet-link", "/events", text.Of("feed.all"))
	return ui.HeadedCard("feed-card", "feed", text.Of("feed"), []app.UI{historyLink},
		news,
		ui.If(h.hasNoData(), ui.NothingKnown).Else(feed.Collapsed))
}

// numericTrends returns the trends of the figures that have a number. It leaves out a trend with a value that has none.
func numericTrends(all map[string]live.Trend) map[string]ui.Trend {
	out := map[string]ui.Trend{}
	for key, t := range all {
		var values []float64
		for _, p := range t.Points {
			n, ok := ui.Magnitude(p.Value)
			if !ok {
				values = nil
				break
			}
			values = append(values, n)
		}
		if len(values) > 0 {
			out[key] = ui.Trend{Since: t.Points[0].At, Values: values}
		}
	}
	return out
}
