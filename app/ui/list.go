package ui

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
)

// A Fact is a name with a value.
type Fact struct {
	Name  app.UI
	Value app.UI
}

// TextFact returns a fact whose name and value are texts.
func TextFact(name, value string) Fact { return Fact{app.Text(name), app.Text(value)} }

// Facts returns a description list. The class is "facts" on pages and "item-lines" in a card.
func Facts(class string, facts []Fact) app.HTMLElem {
	return El("dl", class, Each(len(facts), func(i int) app.UI {
		return El("div", "",
			El("dt", "", facts[i].Name),
			El("dd", "", facts[i].Value))
	}))
}

// Table returns a table with a heading for each column and a row for each index below n.
func Table(class string, headings []string, n int, row func(i int) app.UI) app.HTMLElem {
	head := Each(len(headings), func(i int) app.UI {
		return TextEl("th", "", headings[i]).Attr("scope", "col")
	})
	return El("table", class,
		El("thead", "", El("tr", "", head)),
		El("tbody", "", Each(n, row)))
}

// An Item is a card of a board. It shows one thing, such as a rental.
type Item struct {
	ID      string // unique among the cards of a board
	Title   string
	Link    string // the address that the title leads to; "" for none
	State   string // the text of the chip; "" for no chip
	Tone    string // how urgent the state is: "", "warning", "error" or "success"
	Late    string // the text of a second chip for an overdue thing; "" for none
	Facts   []Fact
	Actions []app.UI
}

// Card renders the item.
func (i Item) Card() app.UI {
	title := app.UI(TextEl("span", "", i.Title))
	if i.Link != "" {
		title = Link("", i.Link, i.Title)
	}
	chips := El("div", "item-chips",
		If(i.State != "", func() app.UI { return TextEl("span", "", i.State).Class("chip", "chip-"+i.Tone) }),
		If(i.Late != "", func() app.UI { return TextEl("span", "chip chip-error", i.Late) }))
	head := El("div", "item-head",
		El("h2", "item-title", title),
		chips)
	body := Keyed(i.ID,
		head,
		Facts("item-lines", i.Facts),
		El("div", "buttons").Body(i.Actions...),
	).Class("item")
	return El("li", "card", body).DataSet("item", i.ID).TabIndex(-1)
}

// A Part is one of the groups of cards between which the user of a board switches. A card may be in several parts.
type Part struct {
	Key   string
	Label string
	Cards []app.UI
}

// PartButtons returns a button for each part of a board, with the number of its cards. The part with the key shown is
// pressed. A press calls show. The name of the board is part of the event scope.
func PartButtons(board string, parts []Part, shown string, show func(key string)) app.UI {
	buttons := Each(len(parts), func(i int) app.UI {
		p := parts[i]
		return El("button", "board-part",
			TextEl("span", "", p.Label),
			TextEl("span", "board-part-count", text.Number(len(p.Cards))),
		).
			Attr("type", "button").
			Aria("pressed", p.Key == shown).
			DataSet("part", p.Key).
			OnClick(onEvent(func() { show(p.Key) }), app.EventScope(board, p.Key))
	})
	return El("div", "board-parts", buttons).Role("group").Aria("label", text.Of("board.parts"))
}

// An AttentionItem is one thing that a user should look at.
type AttentionItem struct {
	Title  string
	Detail string
	Link   string // the address of the page of the thing
	Urgent bool
	Since  time.Time
}

// AttentionList lists things that users should look at, in the given order.
func AttentionList(items []AttentionItem, now time.Time) app.UI {
	return El("ul", "attention", Each(len(items), func(i int) app.UI {
		item := items[i]
		class := "attention-normal"
		if item.Urgent {
			class = "attention-urgent"
		}
		return El("li", "",
			El("p", "row-text", Link("", item.Link, item.Title)),
			El("p", "row-meta",
				TextEl("span", "", item.Detail),
				TextEl("span", "", text.Relative(item.Since, now))),
		).Class(class)
	}))
}

// Tile returns a card with one number of the broker. The key is unique among the tiles.
func Tile(key, label, value, hint string) app.UI {
	return El("li", "card figure",
		TextEl("p", "figure-label", label),
		TextEl("p", "figure-value", value),
		TextEl("p", "figure-hint", hint),
	).DataSet("tile", key)
}
