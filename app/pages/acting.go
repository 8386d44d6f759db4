package pages

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/outbox"
)

// rest is how long the actions of a card stand after its last one: the second
// press of two quick ones is not meant for what stands there next.
const rest = time.Second

// actingPage keeps one press from being two.
type actingPage struct {
	pressed map[string]time.Time // by subject
}

// standing tells whether a subject's actions wait: for what was sent about it
// to be back or refused, and a moment after.
func (r *Root) standing(subject string) bool {
	recent := func(at time.Time) bool { return time.Since(at) < rest }
	if recent(r.acting.pressed[subject]) {
		return true
	}
	for _, i := range r.state.View.Outbox {
		if i.Subject != subject {
			continue
		}
		ahead := i.State == outbox.Sent && i.Cursor.Epoch == r.state.View.Cursor.Epoch && i.Cursor.Seq > r.state.View.Cursor.Seq
		if i.State == outbox.Queued || ahead || recent(i.Done) {
			return true
		}
	}
	return false
}

// rested tells whether some actions may just have come back.
func (r *Root) rested() bool {
	lately := func(at time.Time) bool { return time.Since(at) < 3*rest }
	for _, at := range r.acting.pressed {
		if lately(at) {
			return true
		}
	}
	return slices.ContainsFunc(r.state.View.Outbox, func(i outbox.Item) bool { return lately(i.Done) })
}

// action is a button of a card. It is not there for who may not publish, and
// does nothing while its subject's actions stand; it keeps the focus meanwhile.
//
// version tells what the card showed when it was drawn: go-app keeps the handler
// of an earlier render where the scope is the same.
func (r *Root) action(t event.Type, subject, scope string, version uint64, label string, do func()) app.UI {
	if !access.CanPublish(r.state.User.Grant(), t) {
		return ui.El("span", "")
	}
	return keyed(scope, ui.Button("button button-small", label).DataSet("act", scope).Aria("disabled", r.standing(subject)).OnClick(func(app.Context, app.Event) {
		if !r.standing(subject) {
			do()
		}
	}, app.EventScope(scope, label, version)))
}

// keyed gives an element that stands for one thing a place that no other thing's
// takes over: go-app tells elements apart by their position and their tag, and
// the focus must not slide from one thing to the next.
func keyed(key string, body ...app.UI) app.HTMLElem {
	hash := uint64(14695981039346656037) // FNV-1a
	for i := range len(key) {
		hash = (hash ^ uint64(key[i])) * 1099511628211
	}
	return app.Elem("y-" + strconv.FormatUint(hash, 36)).Class("keyed").Body(body...)
}

// keepFocus notes which control of a card has the focus, and gives it back where
// an update has moved the card; where the control is gone, to its card.
func (r *Root) keepFocus(ctx app.Context) {
	if !app.IsClient || !active().Truthy() {
		return
	}
	card := active().Call("closest", "[data-item]")
	if !card.Truthy() {
		return
	}
	in := `[data-item="` + css(card.Call("getAttribute", "data-item").String()) + `"]`
	control := in
	for _, name := range []string{"data-act", "href"} {
		if value := active().Call("getAttribute", name); value.Truthy() {
			control = in + ` [` + name + `="` + css(value.String()) + `"]`
		}
	}
	ctx.Defer(func(app.Context) {
		if active().Truthy() && active().Get("tagName").String() != "BODY" {
			return
		}
		for _, selector := range []string{control, in} {
			if e := app.Window().Get("document").Call("querySelector", selector); e.Truthy() {
				e.Call("focus")
				return
			}
		}
	})
}

func css(value string) string { return app.Window().Get("CSS").Call("escape", value).String() }

// act sends an event of a type with these fields.
func (r *Root) act(t event.Type, data map[string]any) {
	e, err := event.New(t, data)
	if err != nil {
		panic(err) // what boards offer is valid
	}
	r.send(e)
}

// send puts an event into the outbox, without waiting for it.
func (r *Root) send(e event.Event) {
	if r.acting.pressed == nil {
		r.acting.pressed = map[string]time.Time{}
	}
	// Tabs stay open for days, so old entries must go.
	maps.DeleteFunc(r.acting.pressed, func(_ string, at time.Time) bool { return time.Since(at) > 3*rest })
	r.acting.pressed[e.Stamp("", time.Now()).Subject] = time.Now()
	go r.Live.Publish(context.Background(), e)
}

const reasonID = "reason"

// confirm asks before what cannot be taken back, and for the reason where the
// event has a field for one.
func (r *Root) confirm(label, about, field string, do func(reason string)) {
	r.ctx.Dispatch(func(ctx app.Context) {
		r.open(ctx, label, "dialog-form", func() app.UI {
			return keyed(label+about, ui.Submit("form", ui.TextEl("p", "", about),
				ui.Slot(field != "", func() app.UI {
					return ui.Field(reasonID, text.Label(field), ui.Input().ID(reasonID).Attr("type", "text").Attr("maxlength", 300).Attr("autocomplete", "off"))
				}),
				ui.El("div", "buttons", ui.TextEl("button", "button button-primary", label).Attr("type", "submit").ID("confirm"),
					ui.Button("button", text.Of("keep")).OnClick(func(app.Context, app.Event) { r.close() }))).
				OnSubmit(func(_ app.Context, e app.Event) {
					e.PreventDefault()
					reason := ""
					if control := app.Window().GetElementByID(reasonID); control.Truthy() {
						reason = control.Get("value").String()
					}
					r.close()
					do(reason)
				}, app.EventScope(label, about)))
		})
	})
}
