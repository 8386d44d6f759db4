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

// testPage is what the page keeps between two renders.
type testPage struct {
	typ     event.Type // of the form, and of the payload beside it
	amiss   *event.Problem
	problem string // of the payload
}

const payloadID = "payload"

// burst is how many events one press of Burst sends.
const burst = 20

// sseTest is the page /sse-test: send any of the ten types, and watch.
func (r *Root) sseTest() app.UI {
	v, g := r.state.View, r.state.User.Grant()
	feed := ui.Feed{Events: v.Events, Grant: g, Now: r.now, Open: r.showEvent}
	return r.page(text.Of("page.test"),
		ui.TextEl("p", "lead", text.Of("test.lead")),
		ui.El("div", "columns", ui.El("div", "stack", ui.Card("", "presets", text.Of("test.presets"), ui.El("ul", "presets", ui.Each(len(event.Types), func(i int) app.UI { return r.preset(event.Types[i], g, v.Counts) }))),
			r.editor(g),
		),
			ui.El("div", "stack", r.panel(),
				ui.Card("", "sent", text.Of("test.sent"), ui.El("p", "row-meta", ui.TextEl("span", "", text.Of("test.tab", r.state.Tab)), ui.TextEl("span", "", roundTrips(v.Outbox)).ID("round-trip")), r.outbox()),
			),
		),
		ui.El("section", "card feed-card", ui.El("div", "card-head", ui.TextEl("h2", "", text.Of("test.received", text.Number(max(v.Total, len(v.Events))), text.Number(len(v.Events)))).ID("history-title"),
			ui.Button("button button-small", text.Of("clear")).OnClick(func(app.Context, app.Event) { r.Live.WithClient((*wasmclient.Client).Clear) }),
		),
			feed.All(),
		).Aria("labelledby", "history-title"),
	)
}

// roundTrips sums up how long the broker took to store what was sent from here.
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

func (r *Root) preset(t event.Type, g access.Grant, counts map[event.Type]int) app.UI {
	allowed := access.CanPublish(g, t)
	note := text.Count("test.count", counts[t])
	if !allowed {
		note = text.Of("test.not_yours", note)
	}
	label := text.Label(string(t))
	return ui.El("li", "preset", ui.El("div", "row-main", ui.TextEl("p", "row-text", label), ui.TextEl("p", "row-meta", note)),
		ui.Button("button button-small button-quiet", text.Of("edit")).Aria("label", text.Of("edit.of", label)).OnClick(func(app.Context, app.Event) { r.edit(t) }, app.EventScope("edit", string(t))),
		ui.Button("button button-small button-quiet", text.Of("test.burst", text.Number(burst))).Attr("disabled", !allowed).Aria("label", text.Of("test.burst.of", text.Number(burst), label)).OnClick(func(app.Context, app.Event) { r.burst(t) }, app.EventScope("burst", string(t))),
		ui.Button("button button-small button-primary", text.Of("send")).Attr("disabled", !allowed).DataSet("send", string(t)).Aria("label", text.Of("send.of", label)).OnClick(func(app.Context, app.Event) { r.send(event.Example(t)) }, app.EventScope("send", string(t))),
	)
}

func (r *Root) burst(t event.Type) {
	for range burst {
		r.send(event.Example(t))
	}
}

// edit puts a preset into the form, and into the payload beside it.
func (r *Root) edit(t event.Type) {
	r.test = testPage{typ: t}
	example := event.Example(t)
	pretty, err := json.MarshalIndent(example.Data, "", "  ")
	if err != nil {
		panic(err) // our own examples
	}
	app.Window().GetElementByID(payloadID).Set("value", string(pretty))
	r.ctx.Defer(func(app.Context) {
		r.form().Fill(example.Data)
		if form := app.Window().GetElementByID(formID); form.Truthy() {
			form.Call("scrollIntoView", map[string]any{"block": "nearest"})
			form.Call("querySelector", "input, select").Call("focus")
		}
	})
}

const formID = "event-form"

// form is the form of the chosen type.
func (r *Root) form() ui.Form {
	f := ui.Form{ID: formID, Type: r.test.typ, Problem: r.test.amiss, Action: text.Of("test.send_form")}
	f.Send = func() {
		e, err := f.Read(nil)
		if r.test.amiss = nil; err != nil {
			errors.As(err, &r.test.amiss)
			r.ctx.Defer(f.FocusProblem)
			return
		}
		r.send(e)
	}
	return f
}

func (r *Root) editor(g access.Grant) app.UI {
	title := text.Of("test.editor")
	if r.test.typ != "" {
		title = text.Of("edit.of", text.Label(string(r.test.typ)))
	}
	return ui.Card("", "editor", title, ui.El("div", "", ui.If(r.test.typ == "", func() app.UI { return ui.Empty(text.Of("test.choose"), text.Of("test.choose.text")) }).Else(func() app.UI {
		return app.Elem("y-form-" + tag(r.test.typ)).Body(r.form().Render())
	})),
		ui.El("details", "fields-more", ui.TextEl("summary", "", text.Of("test.json")),
			ui.TextEl("label", "visually-hidden", text.Of("test.json")).Attr("for", payloadID),
			ui.El("textarea", "").ID(payloadID).Class("payload").Attr("rows", 9).Attr("spellcheck", "false").Attr("placeholder", text.Of("test.choose.text")),
			ui.Slot(r.test.problem != "", func() app.UI { return ui.TextEl("p", "problem", r.test.problem).Role("alert") }),
			ui.Button("button", text.Of("test.send_json")).Attr("disabled", r.test.typ == "" || !access.CanPublish(g, r.test.typ)).ID("send-payload").OnClick(func(app.Context, app.Event) { r.sendPayload() })),
	)
}

// sendPayload checks what is in the editor by the rules of the broker, and
// sends it.
func (r *Root) sendPayload() {
	payload := app.Window().GetElementByID(payloadID).Get("value").String()
	e, err := event.New(r.test.typ, json.RawMessage(payload))
	r.test.problem = ""
	if err != nil {
		r.test.problem = err.Error()
		return
	}
	r.send(e)
}

// panel is the connection with all its details.
func (r *Root) panel() app.UI {
	s := r.status()
	s.Transitions, s.ReportCopied = r.Live.Transitions(), r.reported
	return s.Panel(r.actions())
}
