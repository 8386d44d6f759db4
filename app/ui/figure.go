package ui

import (
	"time"
	"unicode/utf8"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// A Trend is how a figure has changed since a time.
type Trend struct {
	Since  time.Time
	Values []float64 // oldest first; the last one is the present value
}

// Change returns the difference between the last value and the first, and 0 without values.
func (t Trend) Change() float64 {
	if len(t.Values) == 0 {
		return 0
	}
	return t.Values[len(t.Values)-1] - t.Values[0]
}

// A figureSpec says how the dashboard shows a figure.
type figureSpec struct {
	key   string // of projection.Figures and of the texts
	alert bool   // the figure needs attention unless it is 0
	page  string // the address that the label leads to
}

// figureSpecs has all figures in the order of the dashboard.
var figureSpecs = []figureSpec{
	{"active_rentals", false, "/rentals"},
	{"due_today", false, "/rentals"},
	{"overdue_rentals", true, "/rentals"},
	{"equipment_down", true, "/equipment"},
	{"utilisation_pct", false, "/equipment"},
	{"revenue_today", false, "/events"},
	{"overdue_exposure", true, "/rentals"},
	{"stale_locations", true, "/equipment"},
	{"timesheets_pending", false, "/employees"},
	{"leave_pending", false, "/employees"},
	{"absent_today", false, "/employees"},
	{"payroll_run_state", false, "/employees"},
	{"sync_state", false, "/customers"},
}

// Figures renders a card for each figure that the user may see. currency is the currency of the installation. asOf is
// when the figures were true; the zero time means that they are live.
func Figures(
	figures map[string]projection.Figure,
	currency string,
	trends map[string]Trend,
	asOf, now time.Time,
) app.UI {
	var cards []app.UI
	for _, spec := range figureSpecs {
		if value, visible := figures[spec.key]; visible {
			cards = append(cards, figureCard(spec, value, currency, trends[spec.key], asOf, now))
		}
	}
	if len(cards) == 0 {
		return El("div", "")
	}
	return El("ul", "figures", cards...)
}

func figureCard(
	spec figureSpec,
	value projection.Figure,
	currency string,
	trend Trend,
	asOf, now time.Time,
) app.UI {
	words := figureText(spec.key, value, currency)
	card := El("li", "card figure").
		DataSet("figure", spec.key).
		DataSet("value", value.String())
	if spec.alert && magnitude(value) > 0 {
		card = card.Class("figure-alert")
	}
	if !asOf.IsZero() {
		card = card.Class("dimmed")
	}
	foot := El("div", "figure-foot",
		TextEl("p", "figure-hint", figureHint(spec.key, value, trend, currency, asOf, now)),
		Sparkline(trend.Values))
	return card.Body(
		El("p", "figure-label", Link("", spec.page, text.Of("figure."+spec.key))),
		TextEl("p", valueClass(words), words),
		foot)
}

// longValue is the most characters of a value in large type. A value does not break over lines, so that a longer one
// needs smaller type.
const longValue = 8

func valueClass(words string) string {
	if utf8.RuneCountInString(words) > longValue {
		return "figure-value figure-long"
	}
	return "figure-value"
}

// magnitude returns a figure as one number. It adds sums of different currencies, so that only its sign counts for
// them.
func magnitude(v projection.Figure) float64 {
	if v.State != "" {
		return float64(v.Done)
	}
	sum := float64(v.Count)
	for _, m := range v.Money {
		sum += m.Units()
	}
	return sum
}

// Magnitude returns a figure as one number of its trend. ok is false for sums of several currencies and for jobs,
// which have no trend.
func Magnitude(v projection.Figure) (n float64, ok bool) {
	return magnitude(v), v.State == "" && len(v.Money) <= 1
}

// figureText returns the value of a figure in the user's notation. Without income it returns zero in the currency of
// the installation.
func figureText(key string, v projection.Figure, currency string) string {
	switch {
	case v.State != "" && v.Total == 100 && key == "sync_state":
		return text.Percent(v.Done)
	case v.State != "" && v.Total > 0:
		return text.Of("figure.of", text.Number(v.Done), text.Number(v.Total))
	case v.State != "":
		return text.Of("figure.none")
	case key == "utilisation_pct":
		return text.Percent(v.Count)
	case v.Money == nil:
		return text.Number(v.Count)
	case len(v.Money) == 0:
		return text.Money(0, currency)
	}
	out := ""
	for _, c := range sortedKeys(v.Money) {
		if out != "" {
			out += " · "
		}
		out += text.Money(v.Money[c], c)
	}
	return out
}

// figureHint returns the time of figures that are not live, and how a live figure has changed.
func figureHint(key string, v projection.Figure, t Trend, currency string, asOf, now time.Time) string {
	switch change := t.Change(); {
	case !asOf.IsZero():
		return text.Of("as_of", text.When(asOf, now))
	case v.State != "" && v.State != "none":
		return text.Label(v.State)
	case change > 0:
		return text.Of("figure.up", changeText(key, change, currency), text.When(t.Since, now))
	case change < 0:
		return text.Of("figure.down", changeText(key, -change, currency), text.When(t.Since, now))
	}
	return text.Of("figure." + key + ".hint")
}

func changeText(key string, by float64, currency string) string {
	switch key {
	case "revenue_today", "overdue_exposure":
		return text.Money(event.MoneyFromUnits(by), currency)
	case "utilisation_pct":
		return text.Of("figure.points", text.Number(int(by)))
	}
	return text.Number(int(by))
}
