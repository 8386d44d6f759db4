package ui

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
)

// A Trend is the course of a figure since a time.
type Trend struct {
	Since  time.Time
	Values []float64 // oldest first; the last is now
}

// Change is how the figure differs from the start.
func (t Trend) Change() float64 {
	if len(t.Values) == 0 {
		return 0
	}
	return t.Values[len(t.Values)-1] - t.Values[0]
}

// figureKeys are in the order of the dashboard. Those of alerts ask for
// somebody to look where they are not zero.
var figureKeys = []struct {
	key   string
	alert bool
	page  string
}{
	{"active_rentals", false, "/rentals"}, {"due_today", false, "/rentals"}, {"overdue_rentals", true, "/rentals"}, {"equipment_down", true, "/equipment"},
	{"utilisation_pct", false, "/equipment"}, {"revenue_today", false, "/events"}, {"overdue_exposure", true, "/rentals"}, {"stale_locations", true, "/equipment"},
	{"timesheets_pending", false, "/employees"}, {"leave_pending", false, "/employees"}, {"absent_today", false, "/employees"},
	{"payroll_run_state", false, "/employees"}, {"sync_state", false, "/customers"},
}

// Figures are the cards of the dashboard, of what the reader may see. asOf is
// when they were true, zero where they are live.
func Figures(figures map[string]projection.Figure, currency string, trends map[string]Trend, asOf, now time.Time) app.UI {
	shown := slices.Clone(figureKeys)
	shown = slices.DeleteFunc(shown, func(f struct {
		key   string
		alert bool
		page  string
	}) bool {
		_, found := figures[f.key]
		return !found
	})
	if len(shown) == 0 {
		return El("div", "")
	}
	return El("ul", "figures", Each(len(shown), func(i int) app.UI {
		f, value := shown[i], figures[shown[i].key]
		words := figureText(f.key, value, currency)
		card := El("li", "card figure").DataSet("figure", f.key).DataSet("value", value.String())
		if f.alert && magnitude(value) > 0 {
			card = card.Class("figure-alert")
		}
		if !asOf.IsZero() {
			card = card.Class("dimmed")
		}
		trend := trends[f.key]
		return card.Body(
			El("p", "figure-label", Link("", f.page, text.Of("figure."+f.key))),
			Line("p", valueClass(words), words),
			El("div", "figure-foot", Line("p", "figure-hint", figureHint(f.key, value, trend, currency, asOf, now)),
				Sparkline(trend.Values)))
	}))
}

// longValue is from where a value is written smaller, in characters: it does not
// break over lines.
const longValue = 8

func valueClass(words string) string {
	if utf8.RuneCountInString(words) > longValue {
		return "figure-value figure-long"
	}
	return "figure-value"
}

// magnitude is a figure as one number, for its course.
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

// Magnitude is a figure as one number; ok is false where its course would say
// nothing: sums of several currencies, and jobs.
func Magnitude(v projection.Figure) (n float64, ok bool) {
	return magnitude(v), v.State == "" && len(v.Money) <= 1
}

// figureText is the value in the reader's way of writing. No income is zero of
// the installation's currency.
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

// figureHint says how the figure has changed, or of when it is.
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
