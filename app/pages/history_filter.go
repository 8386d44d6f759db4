package pages

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
)

// A historyFilter selects the events of the history. The broker applies the part that it knows, and the page the days,
// because they are days in the user's time zone.
type historyFilter struct {
	filter.Filter
	from time.Time // the first time; zero for no limit
	to   time.Time // the time after the last one; zero for no limit
}

// parseHistoryFilter returns the filter of an address's query. It ignores a day that is malformed.
func parseHistoryFilter(query string) (f historyFilter, err error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return f, err
	}
	if f.Filter, err = filter.Parse(q); err != nil {
		return f, err
	}
	if day, err := time.Parse(time.DateOnly, q.Get("from")); err == nil {
		f.from = text.FromLocal(day)
	}
	if day, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		f.to = text.FromLocal(day.AddDate(0, 0, 1)) // not 24 hours, because a day has 23 to 25
	}
	return f, nil
}

func (f historyFilter) matches(e event.Event) bool {
	afterStart := f.from.IsZero() || !e.Time.Before(f.from)
	beforeEnd := f.to.IsZero() || e.Time.Before(f.to)
	return f.Match(e) && afterStart && beforeEnd
}

// filterNames has the names of the filters in the query, which are also those of their controls.
var filterNames = []string{"types", "modules", "severity", "subjects", "from", "to"}

// filterID returns the id of the control of a filter.
func filterID(name string) string { return "filter-" + name }

// setFilterControls sets the controls to the filters of a query, because browsers keep the last values of the user in
// them.
func setFilterControls(query string) {
	q, _ := url.ParseQuery(query)
	for _, name := range filterNames {
		control := app.Window().GetElementByID(filterID(name))
		if !control.Truthy() {
			continue
		}
		value := q.Get(name)
		if control.Get("tagName").String() == "SELECT" {
			value = ui.SelectValue(value)
		}
		control.Set("value", value)
	}
}

// historyFilters renders the controls of the filters. They change the address, so that the user can keep it and send it
// to others.
func historyFilters(h *host) app.UI {
	types := readableTypes(h.grant())
	modules := slices.DeleteFunc(slices.Clone(event.Modules), func(m event.Module) bool {
		return !slices.ContainsFunc(types, func(t event.Type) bool { return event.Event{Type: t}.Module() == m })
	})
	clear := ui.El("div", "field", ui.Link("button button-small", "/events", text.Of("filter.clear")))
	form := ui.Submit("",
		filterSelect(h, "types", stringsOf(types)),
		filterSelect(h, "modules", stringsOf(modules)),
		filterSelect(h, "severity", stringsOf(event.Severities[1:])),
		filterInput(h, "subjects", "text", "rental/123"),
		filterInput(h, "from", "date", ""),
		filterInput(h, "to", "date", ""),
		clear,
	).
		Aria("label", text.Of("filter")).
		OnSubmit(func(_ app.Context, e app.Event) { e.PreventDefault() })
	return ui.El("details", "card filters",
		ui.TextEl("summary", "", text.Of("filter")),
		form,
	).Attr("open", !h.narrow || h.query != "")
}

// filterSelect renders a filter with a few values.
func filterSelect(h *host, name string, values []string) app.UI {
	options := []ui.Option{{Value: "", Label: text.Of("filter.any")}}
	for _, v := range values {
		options = append(options, ui.Option{Value: v, Label: text.Label(v)})
	}
	q, _ := url.ParseQuery(h.query)
	changed := func(ctx app.Context, value string) { setFilter(ctx, h, name, value) }
	return ui.Select(filterID(name), text.Of("filter."+name), options, q.Get(name), changed, h.query)
}

// filterInput renders a filter whose value the user types.
func filterInput(h *host, name, inputType, placeholder string) app.UI {
	q, _ := url.ParseQuery(h.query)
	changed := func(ctx app.Context, e app.Event) {
		setFilter(ctx, h, name, strings.TrimSpace(e.Get("target").Get("value").String()))
	}
	input := ui.Input().
		ID(filterID(name)).
		Attr("type", inputType).
		Attr("placeholder", placeholder).
		Attr("autocomplete", "off").
		Attr("value", q.Get(name)).
		OnChange(changed, app.EventScope(name, h.query))
	return ui.Field(filterID(name), text.Of("filter."+name), input)
}

// setFilter goes to the address with another value of one filter.
func setFilter(ctx app.Context, h *host, name, value string) {
	q, _ := url.ParseQuery(h.query)
	if value == q.Get(name) {
		return
	}
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	address := "/events"
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	navigate(ctx, address)
}

func stringsOf[T ~string](all []T) (out []string) {
	for _, n := range all {
		out = append(out, string(n))
	}
	return out
}
