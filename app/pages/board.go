package pages

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
)

// A board shows cards in parts, one part at a time. Its zero value shows the first part.
type board struct {
	shown string // the key of the part that the user has chosen; "" for none
}

// boardParts returns empty parts with the given keys. Their labels are the texts of the board.
func boardParts(name string, keys ...string) []ui.Part {
	parts := make([]ui.Part, len(keys))
	for i, key := range keys {
		parts[i] = ui.Part{Key: key, Label: text.Of(name + "." + key)}
	}
	return parts
}

// addCard adds a card to the part with a key.
func addCard(parts []ui.Part, key string, card app.UI) {
	for i := range parts {
		if parts[i].Key == key {
			parts[i].Cards = append(parts[i].Cards, card)
		}
	}
}

// render renders the buttons of the parts and the cards of the part that is shown. parts must not be empty.
func (b *board) render(h *host, name string, parts []ui.Part) app.UI {
	shown := parts[0]
	for _, p := range parts {
		if p.Key == b.shown {
			shown = p
		}
	}
	cards := ui.If(h.hasNoData(), ui.NothingKnown).
		ElseIf(len(shown.Cards) == 0, func() app.UI {
			return ui.Empty(text.Of(name+"."+shown.Key+".empty"), text.Of(name+".empty.text"))
		}).
		Else(func() app.UI { return ui.El("ul", "cards", shown.Cards...) })
	return ui.El("div", "board",
		ui.PartButtons(name, parts, shown.Key, func(key string) { b.shown = key }),
		cards)
}
