package pages

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
)

// testPage is what the page keeps between two renders.
type testPage struct {
	typ     event.Type // of the payload in the editor
	problem string     // of that payload
}

const payloadID = "payload"

// sseTest is the page /sse-test: send any of the ten types, and watch.
func (r *Root) sseTest() app.UI {
	v, g := r.state.View, r.state.User.Grant()
	return app.Div().Class("page").Body(
		app.H1().Text("Event test"),
		app.P().Class("lead").Text("Send an event from here and watch it come back, in this tab and in every other one that may see it."),
		app.Div().Class("columns").Body(
			app.Div().Class("stack").Body(
				app.Section().Class("card").Aria("labelledby", "presets-title").Body(
					app.H2().ID("presets-title").Text("Send a preset"),
					app.Ul().Class("presets").Body(app.Range(event.Types).Slice(func(i int) app.UI { return r.preset(event.Types[i], g, v.Counts) })),
				),
				r.editor(g),
			),
			app.Div().Class("stack").Body(
				r.panel(),
				app.Section().Class("card").Aria("labelledby", "sent-title").Body(
					app.H2().ID("sent-title").Text("Sent from here"), app.P().Class("row-meta").Text("Tab "+r.state.Tab), r.outbox()),
			),
		),
		app.Section().Class("card", "feed-card").Aria("labelledby", "history-title").Body(
			app.Div().Class("card-head").Body(
				app.H2().ID("history-title").Text(fmt.Sprintf("Received (%d, the last %d shown)", max(v.Total, len(v.Events)), len(v.Events))),
				app.Button().Type("button").Class("button", "button-small").Text("Clear").OnClick(func(app.Context, app.Event) { r.Live.With((*wasmclient.Client).Clear) }),
			),
			ui.Feed(v.Events, g, 0),
		),
	)
}

func (r *Root) preset(t event.Type, g access.Grant, counts map[event.Type]int) app.UI {
	allowed := access.MayPublish(g, t)
	note := fmt.Sprintf("%d received", counts[t])
	if !allowed {
		note += " · your role may not send it"
	}
	return app.Li().Class("preset").Body(
		app.Div().Class("row-main").Body(app.P().Class("row-text").Text(ui.Label(string(t))), app.P().Class("row-meta").Text(note)),
		app.Button().Type("button").Class("button", "button-small", "button-quiet").Text("Edit").Aria("label", "Edit "+ui.Label(string(t))).
			OnClick(func(app.Context, app.Event) { r.edit(t) }, app.EventScope("edit", string(t))),
		app.Button().Type("button").Class("button", "button-small", "button-primary").DataSet("send", string(t)).Disabled(!allowed).
			Text("Send").Aria("label", "Send "+ui.Label(string(t))).
			OnClick(func(app.Context, app.Event) { r.send(event.Example(t)) }, app.EventScope("send", string(t))),
	)
}

func (r *Root) send(e event.Event) { go r.Live.Publish(context.Background(), e) }

// edit puts a preset into the editor.
func (r *Root) edit(t event.Type) {
	r.test = testPage{typ: t}
	pretty, err := json.MarshalIndent(event.Example(t).Data, "", "  ")
	if err != nil {
		panic(err) // our own examples
	}
	area := app.Window().GetElementByID(payloadID)
	area.Set("value", string(pretty))
	area.Call("focus")
}

func (r *Root) editor(g access.Grant) app.UI {
	title := "Edit a payload"
	if r.test.typ != "" {
		title = "Edit: " + ui.Label(string(r.test.typ))
	}
	return app.Section().Class("card").Aria("labelledby", "editor-title").Body(
		app.H2().ID("editor-title").Text(title),
		app.Label().For(payloadID).Class("hidden").Text("Payload as JSON"),
		app.Textarea().ID(payloadID).Class("payload").Rows(9).Spellcheck(false).Placeholder("Choose Edit at a preset above."),
		app.If(r.test.problem != "", func() app.UI { return app.P().Class("problem").Role("alert").Text(r.test.problem) }),
		app.Button().Type("button").Class("button", "button-primary").ID("send-payload").Disabled(r.test.typ == "" || !access.MayPublish(g, r.test.typ)).Text("Send payload").
			OnClick(func(app.Context, app.Event) { r.sendPayload() }),
	)
}

// sendPayload checks what is in the editor by the rules of the broker, and
// sends it.
func (r *Root) sendPayload() {
	text := app.Window().GetElementByID(payloadID).Get("value").String()
	e, err := event.New(r.test.typ, json.RawMessage(text))
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
	s.Transitions, s.Copied = r.Live.Transitions(), r.reported
	return app.Div().Body(s.Panel(r.actions()), app.Textarea().ID(reportID).Class("hidden").Aria("hidden", "true").TabIndex(-1).ReadOnly(true))
}

// outbox is what was sent from this browser.
func (r *Root) outbox() app.UI {
	return ui.Outbox(r.state.View.Outbox, r.state.Tab,
		func(id string) { r.Live.With(func(c *wasmclient.Client) { c.RetryItem(id) }) },
		func(id string) { r.Live.With(func(c *wasmclient.Client) { c.DiscardItem(id) }) })
}
