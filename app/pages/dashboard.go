package pages

import (
	"cmp"
	"slices"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// feedRows is how many events the dashboard shows; the rest is history.
const feedRows = 40

// dashboard is the page /.
func (r *Root) dashboard() app.UI {
	v := r.state.View
	asOf := v.AsOf
	if !v.Connected && asOf.IsZero() {
		asOf = v.Status.Since
	}
	attention := attention(r.state.Entities)
	unknown := v.Figures == nil
	return app.Div().Class("page").Body(
		app.H1().Text("Dashboard"),
		app.If(v.Figures == nil, Waiting).Else(func() app.UI { return ui.Figures(v.Figures, v.Currency, asOf) }),
		app.Div().Class("columns").Body(
			app.Section().Class("card", "feed-card").Aria("labelledby", "feed-title").Body(
				app.H2().ID("feed-title").Text("Live feed"), app.If(unknown, nothingKnown).Else(func() app.UI { return ui.Feed(v.Events, r.state.User.Grant(), feedRows) })),
			app.Section().Class("card", "attention-card").Aria("labelledby", "attention-title").Body(
				app.H2().ID("attention-title").Text("Needs attention"),
				app.If(unknown, nothingKnown).ElseIf(len(attention) == 0, func() app.UI {
					return ui.Empty("All clear", "What is overdue, broken or waits for a decision appears here.")
				}).Else(func() app.UI { return attentionList(attention) }),
			),
		),
	)
}

// nothingKnown stands where the broker has not answered yet, and nothing is kept
// of an earlier visit.
func nothingKnown() app.UI {
	return ui.Empty("Nothing known yet", "It appears here as soon as the broker can be reached.")
}

// A matter is one thing that somebody should look at.
type matter struct {
	title, detail string
	rank          int // most urgent first
	since         time.Time
}

// maxMatters is how many the dashboard shows.
const maxMatters = 8

// attention picks, from what the reader may see, what waits for somebody.
func attention(entities []*projection.Entity) []matter {
	var all []matter
	for _, e := range entities {
		if !e.Closed.IsZero() {
			continue
		}
		if m, found := matterOf(e); found {
			m.since = e.Time
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b matter) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.since.Compare(a.since), cmp.Compare(a.title, b.title))
	})
	return all[:min(len(all), maxMatters)]
}

func matterOf(e *projection.Entity) (matter, bool) {
	o, status := e.Fields, event.ValueOrDefault(e.Type, e.Fields, "status")
	text, _ := event.ToastText(event.Event{Type: e.Type, Data: o}, false)
	switch {
	case e.Type == event.TypeRentalOverdue:
		return matter{title: text, detail: "was due " + o.Text("expected_end_date")}, true
	case e.Type == event.TypeMaintenanceRequired:
		m := matter{title: o.Text("equipment_name"), detail: o.Text("issue"), rank: 3}
		if o.Bool("blocks_rental") {
			m.rank, m.detail = 1, m.detail+" · cannot be rented"
		}
		return m, true
	case e.Type == event.TypeTimesheetUpdated && status == "submitted", e.Type == event.TypeLeaveRequestUpdated && status == "pending":
		return matter{title: text, detail: "waits for a decision", rank: 2}, true
	}
	return matter{}, false
}

func attentionList(all []matter) app.UI {
	return app.Ul().Class("attention").Body(app.Range(all).Slice(func(i int) app.UI {
		m := all[i]
		class := "attention-normal"
		if m.rank < 2 {
			class = "attention-urgent"
		}
		return app.Li().Class(class).Body(app.P().Class("row-text").Text(m.title), app.P().Class("row-meta").Text(m.detail))
	}))
}
