package pages

import (
	"cmp"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// feedRows is how many events the dashboard shows; the rest is history.
const feedRows = 40

// feedPage lets the feed stand while its reader is somewhere down in it.
type feedPage struct {
	held  []store.Received // what is shown then; nil: it moves
	head  string           // cursor of its newest
	shown []store.Received // the last time
}

// feedCard selects the feed.
const feedCard = ".feed-card"

func (f *feedPage) refresh(r *Root) {
	scrolled := r.path == "/" && device.Above(feedCard)
	switch {
	case !scrolled:
		f.held = nil
	case f.held == nil && len(f.shown) > 0:
		f.held, f.head = f.shown, f.shown[0].Cursor
	}
	if f.shown = f.held; f.shown == nil {
		f.shown = r.state.View.Events
	}
}

// news is how many events came since the feed stands.
func (f *feedPage) news(events []store.Received) int {
	if f.held == nil {
		return 0
	}
	at := slices.IndexFunc(events, func(e store.Received) bool { return e.Cursor == f.head })
	if at < 0 {
		return len(events)
	}
	return at
}

// dashboard is the page /.
func (r *Root) dashboard() app.UI {
	v := r.state.View
	events, news := v.Events, r.feed.news(v.Events)
	if r.feed.held != nil {
		events = r.feed.held
	}
	matters := attention(r.state.Entities)
	feed := ui.Feed{Events: events, Grant: r.state.User.Grant(), Now: r.now, Max: feedRows, Open: r.showEvent}
	return r.page(text.Of("page.dashboard"),
		ui.If(r.unknown(), waitingFigures).Else(func() app.UI {
			return ui.Figures(v.Figures, v.Currency, courses(r.state.Trends), r.asOf(), r.now)
		}),
		ui.El("div", "columns", ui.El("section", "card feed-card", ui.El("div", "card-head", ui.TextEl("h2", "", text.Of("feed")).ID("feed-title"),
			ui.Link("quiet-link", "/events", text.Of("feed.all"))),
			ui.El("div", "feed-news", ui.If(news > 0, func() app.UI {
				return ui.Button("button button-small button-primary", text.Of("feed.news", text.Number(news))).OnClick(func(app.Context, app.Event) { r.feed.held = nil; device.ScrollTo(feedCard) })
			})),
			ui.If(r.unknown(), nothingKnown).Else(feed.Collapsed)).Aria("labelledby", "feed-title"),
			ui.Card("aside-card", "attention", text.Of("attention"), ui.If(r.unknown(), nothingKnown).ElseIf(len(matters) == 0, func() app.UI {
				return ui.Empty(text.Of("attention.empty"), text.Of("attention.empty.text"))
			}).Else(func() app.UI { return attentionList(matters, r.now) }),
			),
		),
	)
}

// courses are the figures' courses as numbers.
func courses(all map[string]live.Trend) map[string]ui.Trend {
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

// A matter is one thing that somebody should look at.
type matter struct {
	title, detail, page string
	rank                int // most urgent first
	since               time.Time
}

// maxMatters is how many the dashboard shows.
const maxMatters = 8

// attention picks, from what the reader may see, what waits for somebody.
func attention(entities []*projection.Entity) []*matter {
	var all []*matter
	for _, e := range entities {
		if !e.Closed.IsZero() {
			continue
		}
		if m, found := matterOf(e); found {
			m.since, m.page = e.Time, notify.PagePath(eventOf(e))
			all = append(all, &m)
		}
	}
	slices.SortFunc(all, func(a, b *matter) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.since.Compare(a.since), cmp.Compare(a.title, b.title))
	})
	return all[:min(len(all), maxMatters)]
}

// eventOf is an event as an entity's last one might have been.
func eventOf(e *projection.Entity) event.Event {
	return event.Event{Type: e.Type, Data: e.Fields, Time: e.Time}.Stamp("", e.Time)
}

func matterOf(e *projection.Entity) (matter, bool) {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	line := ui.Describe(eventOf(e), false)
	switch {
	case e.Type == event.TypeRentalOverdue:
		m := matter{title: line}
		if o.Has("expected_end_date") {
			m.detail = text.Of("attention.due", text.Date(o.Text("expected_end_date")))
		}
		return m, true
	case e.Type == event.TypeMaintenanceRequired:
		m := matter{title: o.Text("equipment_name"), detail: o.Text("issue"), rank: 3}
		if o.Bool("blocks_rental") {
			m.rank, m.detail = 1, text.Of("attention.blocked", m.detail)
		}
		return m, true
	case e.Type == event.TypeTimesheetUpdated && status == "submitted", e.Type == event.TypeLeaveRequestUpdated && status == "pending":
		return matter{title: line, detail: text.Of("attention.decision"), rank: 2}, true
	}
	return matter{}, false
}

func attentionList(all []*matter, now time.Time) app.UI {
	return ui.El("ul", "attention", ui.Each(len(all), func(i int) app.UI {
		m := all[i]
		class := "attention-normal"
		if m.rank < 2 {
			class = "attention-urgent"
		}
		return ui.El("li", "", ui.El("p", "row-text", ui.Link("", m.page, m.title)),
			ui.El("p", "row-meta", ui.TextEl("span", "", m.detail), ui.TextEl("span", "", text.Relative(m.since, now)))).Class(class)
	}))
}
