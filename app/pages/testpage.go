package pages

import (
	"encoding/json"
	"errors"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// testPage is the page /sse-test: the user sends events of any type and watches them arrive.
type testPage struct {
	basicPage
	typ            event.Type     // of the event in the form and in the payload; "" before the user has chosen one
	formProblem    *event.Problem // of the form; nil for none
	payloadProblem string         // of the payload; "" for none
}

func (p *testPage) forget() { *p = testPage{} }

const (
	formID    = "event-form"
	payloadID = "payload"
	burstSize = 20 // the events that one press on Burst sends
)

func (p *testPage) render(h *host) app.UI {
	left := ui.El("div", "stack",
		p.presetsCard(h),
		p.editorCard(h))
	right := ui.El("div", "stack",
		h.connectionPanel(),
		sentCard(h))
	return h.frame(text.Of("page.test"),
		ui.TextEl("p", "lead", text.Of("test.lead")),
		ui.El("div", "columns", left, right),
		receivedCard(h))
}

// presetsCard lists an example of each type.
func (p *testPage) presetsCard(h *host) app.UI {
	presets := ui.Each(len(event.Types), func(i int) app.UI { return p.preset(h, event.Types[i]) })
	return ui.Card("", "presets", text.Of("test.presets"), ui.El("ul", "presets", presets))
}

// preset renders the buttons of one type: edit the example, send it many times, send it once.
func (p *testPage) preset(h *host, t event.Type) app.UI {
	allowed := access.CanPublish(h.grant(), t)
	label, note := text.Label(string(t)), text.Count("test.count", h.state.View.Counts[t])
	if !allowed {
		note = text.Of("test.not_yours", note)
	}
	button := func(name, class, title, ariaLabel string, press func()) app.HTMLElem {
		return ui.Button("button button-small "+class, title).
			Aria("label", ariaLabel).
			OnClick(func(app.Context, app.Event) { press() }, app.EventScope(name, string(t)))
	}
	size := text.Number(burstSize)
	edit := button("edit", "button-quiet", text.Of("edit"), text.Of("edit.of", label), func() { p.edit(h, t) })
	burst := button("burst", "button-quiet", text.Of("test.burst", size), text.Of("test.burst.of", size, label),
		func() { sendBurst(h, t) }).
		Attr("disabled", !allowed)
	send := button("send", "button-primary", text.Of("send"), text.Of("send.of", label),
		func() { h.send(event.Example(t)) }).
		Attr("disabled", !allowed).
		DataSet("send", string(t))
	return ui.El("li", "preset",
		ui.El("div", "row-main",
			ui.TextEl("p", "row-text", label),
			ui.TextEl("p", "row-meta", note)),
		edit,
		burst,
		send)
}

func sendBurst(h *host, t event.Type) {
	for range burstSize {
		h.send(event.Example(t))
	}
}

// edit puts the example of a type into the form and into the payload.
func (p *testPage) edit(h *host, t event.Type) {
	*p = testPage{typ: t}
	example := event.Example(t)
	pretty, err := json.MarshalIndent(example.Data, "", "  ")
	if err != nil {
		panic(err) // examples always marshal
	}
	app.Window().GetElementByID(payloadID).Set("value", string(pretty))
	h.ctx.Defer(func(app.Context) {
		p.form(h).Fill(example.Data)
		if form := app.Window().GetElementByID(formID); form.Truthy() {
			form.Call("scrollIntoView", map[string]any{"block": "nearest"})
			form.Call("querySelector", "input, select").Call("focus")
		}
	})
}

// form returns the form of the chosen type.
func (p *testPage) form(h *host) ui.Form {
	f := ui.Form{ID: formID, Type: p.typ, Problem: p.formProblem, Action: text.Of("test.send_form")}
	f.Send = func() {
		e, err := f.Read(nil)
		p.formProblem = nil
		if err != nil {
			errors.As(err, &p.formProblem)
			h.ctx.Defer(f.FocusProblem)
			return
		}
		h.send(e)
	}
	return f
}

// editorCard renders the form of the chosen type, and its payload as JSON.
func (p *testPage) editorCard(h *host) app.UI {
	title := text.Of("test.editor")
	if p.typ != "" {
		title = text.Of("edit.of", text.Label(string(p.typ)))
	}
	form := ui.If(p.typ == "", func() app.UI {
		return ui.Empty(text.Of("test.choose"), text.Of("test.choose.text"))
	}).Else(func() app.UI {
		// Each type has a tag of its own, so that go-app never gives the controls of one form to another.
		return app.Elem("y-form-" + tagOf(p.typ)).Body(p.form(h).Render())
	})
	return ui.Card("", "editor", title,
		ui.El("div", "", form),
		p.payloadEditor(h))
}

func (p *testPage) payloadEditor(h *host) app.UI {
	editor := ui.El("textarea", "payload").
		ID(payloadID).
		Attr("rows", 9).
		Attr("spellcheck", "false").
		Attr("placeholder", text.Of("test.choose.text"))
	send := ui.Button("button", text.Of("test.send_json")).
		Attr("disabled", p.typ == "" || !access.CanPublish(h.grant(), p.typ)).
		ID("send-payload").
		OnClick(func(app.Context, app.Event) { p.sendPayload(h) })
	return ui.El("details", "fields-more",
		ui.TextEl("summary", "", text.Of("test.json")),
		ui.TextEl("label", "visually-hidden", text.Of("test.json")).Attr("for", payloadID),
		editor,
		ui.Message("problem", "alert", p.payloadProblem),
		send)
}

// sendPayload checks the payload by the rules of the broker and sends it.
func (p *testPage) sendPayload(h *host) {
	e, err := event.New(p.typ, json.RawMessage(ui.ControlValue(payloadID)))
	if err != nil {
		p.payloadProblem = err.Error()
		return
	}
	p.payloadProblem = ""
	h.send(e)
}

// sentCard lists the events that were sent from this browser.
func sentCard(h *host) app.UI {
	summary := ui.El("p", "row-meta",
		ui.TextEl("span", "", text.Of("test.tab", h.state.Tab)),
		ui.TextEl("span", "", roundTrips(h.state.View.Outbox)).ID("round-trip"))
	return ui.Card("", "sent", text.Of("test.sent"), summary, h.outbox())
}

// roundTrips returns the least, the mean and the greatest time in ms that the broker took to store the sent events.
func roundTrips(items []outbox.Item) string {
	var all []float64
	for _, i := range items {
		if i.State == outbox.Sent {
			all = append(all, float64(i.Done.Sub(i.Written).Microseconds())/1000)
		}
	}
	if len(all) == 0 {
		return text.Of("test.no_trips")
	}
	least, most, total := all[0], all[0], 0.0
	for _, ms := range all {
		least, most, total = min(least, ms), max(most, ms), total+ms
	}
	return text.Of("test.trips", text.Decimal(least), text.Decimal(total/float64(len(all))), text.Decimal(most))
}

// receivedCard lists the events that have come, with a button that clears the list.
func receivedCard(h *host) app.UI {
	v := h.state.View
	feed := ui.Feed{Events: v.Events, Grant: h.grant(), Now: h.now, Open: h.showEvent}
	title := text.Of("test.received", text.Number(max(v.Total, len(v.Events))), text.Number(len(v.Events)))
	clear := ui.SmallButton(text.Of("clear"), h.withClient((*wasmclient.Client).Clear))
	return ui.HeadedCard("feed-card", "history", title, []app.UI{clear}, feed.All())
}
