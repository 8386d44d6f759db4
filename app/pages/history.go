package pages

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// historyPage is what /events has loaded, newest first.
type historyPage struct {
	query   string // of the address: what is asked for
	wanted  wanted
	events  []store.Received
	before  wire.Cursor // where older ones are; zero: there are none
	busy    bool
	local   bool // the broker could not be asked: these are the last that the browser has
	problem string
	note    string // what a file does not have
	saving  bool   // a file is on its way
	asked   int    // tells answers that are out of date
}

// A wanted is what the filters ask for. The days are the reader's own.
type wanted struct {
	filter.Filter
	from, to time.Time // zero: open; to is exclusive
}

const (
	historyRows = 100 // of a page
	scanMost    = 20  // pages that are read for one, where days are asked for
)

func wantedOf(query string) (w wanted, err error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return w, err
	}
	if w.Filter, err = filter.Parse(q); err != nil {
		return w, err
	}
	if day, err := time.Parse(time.DateOnly, q.Get("from")); err == nil {
		w.from = text.FromLocal(day)
	}
	if day, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		w.to = text.FromLocal(day.AddDate(0, 0, 1)) // a day has 23 to 25 hours
	}
	return w, nil
}

func (w wanted) match(e event.Event) bool {
	return w.Match(e) && (w.from.IsZero() || !e.Time.Before(w.from)) && (w.to.IsZero() || e.Time.Before(w.to))
}

// arrive loads what the address asks for.
func (h *historyPage) arrive(r *Root) {
	w, err := wantedOf(r.query)
	*h = historyPage{query: r.query, wanted: w, asked: h.asked + 1}
	if err != nil {
		h.problem = text.Of("events.bad")
		return
	}
	h.load(r)
	r.ctx.Defer(func(app.Context) { setFilters(r.query) })
}

// setFilters lets the controls show what the address asks for: browsers keep in
// them what was chosen last.
func setFilters(query string) {
	q, _ := url.ParseQuery(query)
	for _, name := range []string{"types", "modules", "severity", "subjects", "from", "to"} {
		if control := app.Window().GetElementByID(filterID(name)); control.Truthy() {
			value := q.Get(name)
			if control.Get("tagName").String() == "SELECT" {
				value = ui.SelectValue(value)
			}
			control.Set("value", value)
		}
	}
}

// load asks for the next older page.
func (h *historyPage) load(r *Root) {
	h.busy, h.problem = true, ""
	w, before, asked := h.wanted, h.before, h.asked
	var found []store.Received
	var rest wire.Cursor
	r.do(func(ctx context.Context) (err error) {
		found, rest, err = read(ctx, r.Live, w, before, historyRows)
		return err
	}, func(err error) {
		if asked != h.asked {
			return
		}
		h.busy = false
		if err != nil && len(h.events) == 0 && !answered(err) { // offline there are the last hundred
			h.local = true
			return
		}
		if err != nil {
			h.problem = live.Explain(err)
			return
		}
		h.events, h.before = append(h.events, found...), rest
	})
}

// answered tells whether an error is the broker's word: it was reached, then.
func answered(err error) bool {
	var refused *wasmclient.Error
	return errors.As(err, &refused) && refused.FromBroker && refused.Status >= 400 && refused.Status < 500
}

// read reads older events until there are most that match, or no more.
func read(ctx context.Context, l *live.Live, w wanted, before wire.Cursor, most int) (found []store.Received, rest wire.Cursor, err error) {
	for range scanMost {
		page, err := l.API().History(ctx, w.Filter, before, min(most, 1000))
		if err != nil {
			return nil, wire.Cursor{}, err
		}
		for _, e := range slices.Backward(page.Events) {
			if w.match(e) {
				found = append(found, store.Received{Event: e, Received: e.Time, Replayed: true})
			}
		}
		before = page.Previous
		past := len(page.Events) > 0 && !w.from.IsZero() && page.Events[0].Time.Before(w.from.Add(-24*time.Hour)) // events may be a little out of order
		if len(page.Events) == 0 || past || page.Gap != nil && page.Gap.To.Seq >= before.Seq {
			return found, wire.Cursor{}, nil
		}
		if len(found) >= most {
			break
		}
	}
	return found, before, nil
}

// rows are the events to show: those loaded, and before them what has come
// since.
func (h *historyPage) rows(r *Root) (rows []store.Received) {
	have := map[string]bool{}
	for _, e := range h.events {
		have[e.Cursor] = true
	}
	for _, e := range r.state.View.Events {
		if h.wanted.match(e.Event) && !have[e.Cursor] && (h.local || len(h.events) == 0 && !h.busy || len(h.events) > 0 && newer(e.Cursor, h.events[0].Cursor)) {
			rows = append(rows, e)
		}
	}
	return append(rows, h.events...)
}

func newer(a, b string) bool {
	x, errX := wire.ParseCursor(a)
	y, errY := wire.ParseCursor(b)
	return errX == nil && errY == nil && x.Epoch == y.Epoch && x.Seq > y.Seq
}

func filterID(name string) string { return "filter-" + name }

// history is the page /events.
func (r *Root) history() app.UI {
	h := &r.past
	rows := h.rows(r)
	feed := ui.Feed{Events: rows, Grant: r.state.User.Grant(), Now: r.now, Open: r.showEvent,
		Empty: func() app.UI { return ui.Empty(text.Of("events.empty"), text.Of("events.empty.text")) }}
	return r.page(text.Of("page.events"),
		r.filters(),
		ui.Slot(h.local, func() app.UI {
			return ui.El("div", "banner", ui.TextEl("span", "banner-text", text.Of("events.local")),
				ui.Button("button button-small", text.Of("retry")).OnClick(func(app.Context, app.Event) { h.arrive(r) }))
		}),
		ui.Slot(h.note != "", func() app.UI { return ui.TextEl("p", "banner", h.note).Role("status") }),
		ui.Slot(h.problem != "", func() app.UI { return ui.TextEl("p", "banner banner-denied", h.problem).Role("alert") }),
		ui.El("section", "card feed-card", ui.El("div", "card-head", ui.TextEl("h2", "", text.Count("events.found", len(rows))).ID("history-title"),
			ui.El("div", "buttons", ui.Button("button button-small", text.Of("events.json")).Attr("disabled", len(rows) == 0 || h.saving).ID("export-json").OnClick(func(app.Context, app.Event) { r.export("json") }),
				ui.Button("button button-small", text.Of("events.csv")).Attr("disabled", len(rows) == 0 || h.saving).ID("export-csv").OnClick(func(app.Context, app.Event) { r.export("csv") }))),
			ui.If(h.busy && len(rows) == 0, waitingRows).Else(feed.All),
			ui.El("div", "more-rows", ui.If(h.before != (wire.Cursor{}), func() app.UI {
				return ui.Button("button", text.Of("events.older")).Attr("disabled", h.busy).ID("older").OnClick(func(app.Context, app.Event) { h.load(r) })
			})),
		).Aria("labelledby", "history-title").Aria("busy", h.busy))
}

func waitingRows() app.UI {
	return ui.El("div", "skeleton-rows", ui.Each(6, func(int) app.UI { return ui.El("div", "skeleton") })).Aria("hidden", "true")
}

// filters change the address, which is what is shown: it can be kept and sent
// to others.
func (r *Root) filters() app.UI {
	q, _ := url.ParseQuery(r.query)
	choice := func(name string, values []string) app.UI {
		options := []ui.Option{{Value: "", Label: text.Of("filter.any")}}
		for _, v := range values {
			options = append(options, ui.Option{Value: v, Label: text.Label(v)})
		}
		return ui.Select(filterID(name), text.Of("filter."+name), options, q.Get(name), func(ctx app.Context, value string) { r.filtered(ctx, name, value) }, r.query)
	}
	input := func(name, kind, hint string) app.UI {
		return ui.Field(filterID(name), text.Of("filter."+name), ui.Input().ID(filterID(name)).Attr("type", kind).Attr("placeholder", hint).Attr("autocomplete", "off").Attr("value", q.Get(name)).
			OnChange(func(ctx app.Context, e app.Event) {
				r.filtered(ctx, name, strings.TrimSpace(e.Get("target").Get("value").String()))
			}, app.EventScope(name, r.query)))
	}
	types := readable(r.state.User.Grant())
	modules := slices.DeleteFunc(slices.Clone(event.Modules), func(m event.Module) bool {
		return !slices.ContainsFunc(types, func(t event.Type) bool { return event.Event{Type: t}.Module() == m })
	})
	return ui.El("details", "card filters", ui.TextEl("summary", "", text.Of("filter")),
		ui.Submit("", choice("types", names(types)), choice("modules", names(modules)),
			choice("severity", names(event.Severities[1:])),
			input("subjects", "text", "rental/123"), input("from", "date", ""), input("to", "date", ""),
			ui.El("div", "field", ui.Link("button button-small", "/events", text.Of("filter.clear")))).
			Aria("label", text.Of("filter")).
			OnSubmit(func(_ app.Context, e app.Event) { e.PreventDefault() })).
		Attr("open", !r.narrow || r.query != "")
}

func names[T ~string](all []T) (out []string) {
	for _, n := range all {
		out = append(out, string(n))
	}
	return out
}

// filtered goes to the address with another value of one filter.
func (r *Root) filtered(ctx app.Context, name, value string) {
	q, _ := url.ParseQuery(r.query)
	if value == q.Get(name) {
		return
	}
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	address := "/events"
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	navigate(ctx, address)
}
