package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Feed is a list of events, newest first, at most max of them; 0 is all.
func Feed(events []store.Received, g access.Grant, max int) app.UI {
	if max > 0 && len(events) > max {
		events = events[:max]
	}
	if len(events) == 0 {
		return Empty("Nothing has happened yet", "New events appear here by themselves, as they happen.")
	}
	return app.Ol().Class("feed").Body(app.Range(events).Slice(func(i int) app.UI {
		e := events[i]
		_, self := access.PersonView(g, e.Event)
		return app.Li().Class("row", "severity-"+string(e.Severity)).
			DataSet("event", e.ID).DataSet("type", string(e.Type)).DataSet("cursor", e.Cursor).Body(
			app.Span().Class("row-icon", "icon-"+string(e.Module())).Aria("hidden", "true"),
			app.Div().Class("row-main").Body(
				app.P().Class("row-text").Text(Describe(e.Event, self)),
				app.P().Class("row-meta").Body(
					app.Span().Text(Label(string(e.Type))), app.Span().Class("row-subject").Text(e.Subject),
					app.If(e.Severity == event.Warning || e.Severity == event.Error, func() app.UI {
						return app.Span().Class("chip", "chip-"+string(e.Severity)).Text(Label(string(e.Severity)))
					}),
				),
			),
			app.Time().Class("row-time").DateTime(e.Time.UTC().Format(time.RFC3339)).Text(Clock(e.Time)),
		)
	}))
}

// Empty says that there is nothing, and what would be here.
func Empty(title, text string) app.UI {
	return app.Div().Class("empty").Body(app.P().Class("empty-title").Text(title), app.P().Text(text))
}

// A FigureSpec is how a figure is called.
type figureSpec struct{ key, label, hint string }

// figureSpecs are in the order of the dashboard.
var figureSpecs = []figureSpec{
	{"active_rentals", "Active rentals", "out with customers"},
	{"overdue_rentals", "Overdue", "not back in time"},
	{"equipment_down", "Equipment down", "blocked by maintenance"},
	{"revenue_today", "Revenue today", "payments less refunds"},
}

// Figures are the cards of the dashboard. asOf is when they were true, zero
// where they are live.
func Figures(figures map[string]projection.Value, currency string, asOf time.Time) app.UI {
	shown := slices.DeleteFunc(slices.Clone(figureSpecs), func(s figureSpec) bool { _, found := figures[s.key]; return !found })
	if len(shown) == 0 {
		return app.Div()
	}
	return app.Ul().Class("figures").Body(app.Range(shown).Slice(func(i int) app.UI {
		s, value := shown[i], figures[shown[i].key]
		alert := (s.key == "overdue_rentals" || s.key == "equipment_down") && value.Count > 0
		card := app.Li().Class("card", "figure").DataSet("figure", s.key).DataSet("value", value.String())
		if alert {
			card = card.Class("figure-alert")
		}
		if !asOf.IsZero() {
			card = card.Class("dimmed")
		}
		return card.Body(
			app.P().Class("figure-label").Text(s.label),
			app.P().Class("figure-value").Text(figureText(value, currency)),
			app.P().Class("figure-hint").Text(hint(s, asOf)),
		)
	}))
}

func hint(s figureSpec, asOf time.Time) string {
	if asOf.IsZero() {
		return s.hint
	}
	return "as of " + asOf.Local().Format("15:04")
}

// figureText shows no income as zero of the installation's currency.
func figureText(v projection.Value, currency string) string {
	if v.Money == nil {
		return v.String()
	}
	if len(v.Money) == 0 {
		return currency + "\u00a00"
	}
	return groupThousands(v.String())
}

// groupThousands sets a narrow space between thousands, and nothing where a
// line may break.
func groupThousands(s string) string {
	parts := strings.Split(s, " ")
	for i, p := range parts {
		whole, rest, _ := strings.Cut(p, ".")
		digits := strings.TrimLeft(whole, "-")
		if digits == "" || strings.Trim(digits, "0123456789,") != "" {
			continue
		}
		suffix := strings.TrimLeft(digits, "0123456789")
		digits = digits[:len(digits)-len(suffix)]
		sign := strings.Repeat("-", strings.Count(whole, "-"))
		for at := len(digits) - 3; at > 0; at -= 3 {
			digits = digits[:at] + "\u202f" + digits[at:]
		}
		if rest != "" {
			rest = "." + rest
		}
		parts[i] = sign + digits + suffix + rest
	}
	return strings.ReplaceAll(strings.Join(parts, "\u00a0"), ",\u00a0", ", ")
}

// Toasts are the brief messages. They never take the focus. Their clock stands
// while hold is on.
func Toasts(toasts []toast.Toast, more int, dismiss func(toast.Toast), hold func(on bool)) app.UI {
	held := func(on bool) app.EventHandler { return func(app.Context, app.Event) { hold(on) } }
	return app.Aside().ID("toasts").Class("toasts").Aria("label", "Notifications").
		OnMouseEnter(held(true)).OnMouseLeave(held(false)).On("focusin", held(true)).On("focusout", held(false)).Body(
		app.Range(toasts).Slice(func(i int) app.UI {
			t := toasts[i]
			return app.Div().Class("toast", "severity-"+string(t.Severity)).DataSet("toast", t.ID).DataSet("severity", string(t.Severity)).Body(
				app.P().Class("toast-text").Text(t.Text),
				app.Button().Type("button").Class("toast-close").DataSet("key", t.Key).Aria("label", "Dismiss: "+t.Text).Text("✕").
					OnClick(on(func() { dismiss(t) }), app.EventScope(t.Key)),
			)
		}),
		app.If(more > 0, func() app.UI {
			return app.P().Class("toast-more").Text(fmt.Sprintf("+%d more in the feed", more))
		}),
	)
}
