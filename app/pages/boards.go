package pages

import (
	"cmp"
	"github.com/maxence-charriere/go-app/v10/pkg/app"
	"time"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
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
	return ui.El("div", "board", ui.El("div", "board-parts", ui.Each(len(parts), func(i int) app.UI {
		p := parts[i]
		return ui.El("button", "board-part", ui.TextEl("span", "", text.Of(name+"."+p.key)), ui.TextEl("span", "board-part-count", text.Number(len(p.cards)))).Attr("type", "button").Aria("pressed", p.key == shown.key).DataSet("part", p.key).OnClick(func(app.Context, app.Event) {
			if r.boards.part == nil {
				r.boards.part = map[string]string{}
			}
			r.boards.part[name] = p.key
		}, app.EventScope(name, p.key))
	})).Role("group").Aria("label", text.Of("board.parts")),
		ui.If(r.unknown(), nothingKnown).ElseIf(len(shown.cards) == 0, func() app.UI {
			return ui.Empty(text.Of(name+"."+shown.key+".empty"), text.Of(name+".empty.text"))
		}).Else(func() app.UI { return ui.El("ul", "cards").Body(shown.cards...) }))
}

// A line is a small fact of a board's card.
type line struct{ name, value string }

// item is one card of a board.
type item struct {
	id, title, href string
	chip, tone      string // its state, and how urgent that is: "", warning, error, success
	late            string // that it is overdue, beside its state
	lines           []line
	actions         []app.UI
}

func (i item) card() app.UI {
	title := app.UI(ui.TextEl("span", "", i.title))
	if i.href != "" {
		title = ui.Link("", i.href, i.title)
	}
	return ui.El("li", "card", keyed(i.id, ui.El("div", "item-head", ui.El("h2", "item-title", title), ui.El("div", "item-chips",
		ui.If(i.chip != "", func() app.UI { return ui.TextEl("span", "", i.chip).Class("chip", "chip-"+i.tone) }),
		ui.If(i.late != "", func() app.UI { return ui.TextEl("span", "chip chip-error", i.late) }))),
		ui.El("dl", "item-lines", ui.Each(len(i.lines), func(n int) app.UI {
			return ui.El("div", "", ui.TextEl("dt", "", i.lines[n].name), ui.TextEl("dd", "", i.lines[n].value))
		})),
		ui.El("div", "buttons").Body(i.actions...)).Class("item")).DataSet("item", i.id).TabIndex(-1)
}

// today is the day of the installation, of this browser before it is known.
func (r *Root) today() string {
	return cmp.Or(r.state.View.Today, text.Local(r.now).Format(time.DateOnly))
}
