package pages

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// boardsPage is what the boards keep between two renders: which part of each is
// shown.
type boardsPage struct{ part map[string]string }

// A part is one tab of a board.
type part struct {
	key   string
	cards []app.UI
}

// board shows the parts of a page, one at a time, with how many each has.
func (r *Root) board(name string, parts []part) app.UI {
	shown := parts[0]
	for _, p := range parts {
		if p.key == r.boards.part[name] {
			shown = p
		}
	}
	return app.Div().Class("board").Body(
		app.Div().Class("parts").Role("group").Aria("label", text.Of("board.parts")).Body(app.Range(parts).Slice(func(i int) app.UI {
			p := parts[i]
			return app.Button().Type("button").Class("part").Aria("pressed", p.key == shown.key).DataSet("part", p.key).
				Body(app.Span().Text(text.Of(name+"."+p.key)), app.Span().Class("part-count").Text(text.Number(len(p.cards)))).
				OnClick(func(app.Context, app.Event) {
					if r.boards.part == nil {
						r.boards.part = map[string]string{}
					}
					r.boards.part[name] = p.key
				}, app.EventScope(name, p.key))
		})),
		app.If(r.unknown(), nothingKnown).ElseIf(len(shown.cards) == 0, func() app.UI {
			return ui.Empty(text.Of(name+"."+shown.key+".empty"), text.Of(name+".empty.text"))
		}).Else(func() app.UI { return app.Ul().Class("cards").Body(shown.cards...) }))
}

// A line is a small fact of a board's card.
type line struct{ name, value string }

// item is one card of a board.
type item struct {
	id, title, href string
	chip, tone      string // its state, and how urgent that is: "", warning, error, success
	lines           []line
	actions         []app.UI
}

func (i item) card() app.UI {
	title := app.UI(app.Span().Text(i.title))
	if i.href != "" {
		title = app.A().Href(i.href).Text(i.title)
	}
	return app.Li().Class("card", "item").DataSet("item", i.id).Body(
		app.Div().Class("item-head").Body(app.H2().Class("item-title").Body(title), app.Span().Class("chip", "chip-"+i.tone).Text(i.chip)),
		app.Dl().Class("item-lines").Body(app.Range(i.lines).Slice(func(n int) app.UI {
			return app.Div().Body(app.Dt().Text(i.lines[n].name), app.Dd().Text(i.lines[n].value))
		})),
		app.Div().Class("buttons").Body(i.actions...))
}

// action is a button of a card. It is not there for who may not publish.
func (r *Root) action(t event.Type, scope, label string, do func()) app.UI {
	if !access.MayPublish(r.state.User.Grant(), t) {
		return app.Span()
	}
	return app.Button().Type("button").Class("button", "button-small").DataSet("act", scope).Text(label).OnClick(func(app.Context, app.Event) { do() }, app.EventScope(scope, label))
}
