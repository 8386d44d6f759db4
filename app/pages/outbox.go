package pages

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
)

// outboxPage is the page /outbox: the events that were written in this browser.
type outboxPage struct{ basicPage }

func (p *outboxPage) render(h *host) app.UI {
	title := text.Of("page.outbox")
	return h.frame(title,
		ui.TextEl("p", "lead", text.Of("outbox.lead")),
		ui.El("section", "card", h.outbox()).Aria("label", title))
}
