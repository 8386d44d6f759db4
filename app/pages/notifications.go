package pages

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// notifyPage is what /notifications knows of pushes.
type notifyPage struct {
	push    device.PushState
	devices []wasmclient.Device
	this    string // the broker's id of this device; "" where it has none
	none    bool   // nothing is pushed from here
	busy    bool
	problem string // what went wrong
	note    string // what went well
}

// pushDevice is the key under which earlier versions kept the broker's id of this device. The service worker cannot
// read it there.
const pushDevice = "push-device"

// thisDevice returns the broker's id of this device, or "" for none.
func thisDevice(ctx context.Context, l *live.Live) string {
	id := l.DeviceID(ctx)
	if id == "" {
		id = device.Setting(pushDevice)
	}
	return id
}

func keepDevice(ctx context.Context, l *live.Live, id string) error {
	err := l.SaveDeviceID(ctx, id)
	if err == nil {
		device.Set(pushDevice, "")
	}
	return err
}

// arrive looks at what is, and asks the user for nothing.
func (n *notifyPage) arrive(r *Root) {
	var state device.PushState
	var all []wasmclient.Device
	var pushes bool
	var this string
	r.do(func(ctx context.Context) (err error) {
		state, this = device.Push(ctx), thisDevice(ctx, r.Live)
		all, pushes, err = r.Live.API().Devices(ctx)
		return err
	}, func(err error) {
		if n.push = state; err != nil {
			n.problem = live.Explain(err)
			return
		}
		n.devices, n.none, n.this = all, !pushes, this
	})
}

// run does something with pushes, and looks again.
func (n *notifyPage) run(r *Root, note string, work func(ctx context.Context) error) {
	n.busy, n.problem, n.note = true, "", ""
	r.do(work, func(err error) {
		n.busy = false
		switch {
		case errors.Is(err, device.ErrRefused):
			n.problem = text.Of("push.refused")
		case err != nil:
			n.problem = explain(err)
		default:
			n.note = note
		}
		n.arrive(r)
	})
}

// explain says what an error means; one of the browser's own is quoted.
func explain(err error) string {
	var refused *wasmclient.Error
	if errors.As(err, &refused) {
		return refused.Sentence()
	}
	return text.Of("push.browser", err.Error())
}

func (n *notifyPage) turnOn(r *Root) {
	n.run(r, text.Of("push.on.note"), func(ctx context.Context) error {
		key, err := r.Live.API().PushKey(ctx)
		if err != nil {
			return err
		}
		subscription, err := device.Subscribe(ctx, key)
		if err != nil {
			return err
		}
		d, err := r.Live.API().AddDevice(ctx, subscription, device.Name(), thisDevice(ctx, r.Live))
		if err == nil {
			err = keepDevice(ctx, r.Live, d.ID)
		}
		return err
	})
}

func (n *notifyPage) turnOff(r *Root, id string) {
	n.run(r, text.Of("push.off.note"), func(ctx context.Context) error {
		if id == thisDevice(ctx, r.Live) {
			if err := device.Unsubscribe(ctx); err != nil && !errors.Is(err, device.ErrUnsupported) {
				return err
			}
			if err := keepDevice(ctx, r.Live, ""); err != nil {
				return err
			}
		}
		return r.Live.API().RemoveDevice(ctx, id)
	})
}

// RenewPush tells the broker that the user of this device is still signed in,
// if it is pushed to. It subscribes anew where the browser has lost the
// subscription, or has one with a key that the broker no longer has.
func RenewPush(ctx context.Context, l *live.Live) {
	id := thisDevice(ctx, l)
	if id == "" {
		return
	}
	all, _, err := l.API().Devices(ctx) // of another user's sign-in on this device it is not among them
	if err != nil || !slices.ContainsFunc(all, func(d wasmclient.Device) bool { return d.ID == id }) {
		return
	}
	key, err := l.API().PushKey(ctx)
	if err != nil {
		return
	}
	subscription, err := device.Renew(ctx, key)
	if err != nil {
		return
	}
	if d, err := l.API().AddDevice(ctx, subscription, device.Name(), id); err == nil {
		_ = keepDevice(ctx, l, d.ID) // The next visit repeats a step that fails now.
	}
}

// Forget ends the pushes to this device, after a sign-out.
func Forget() {
	device.Set(pushDevice, "")
	go func() {
		ctx, done := context.WithTimeout(context.Background(), askTime)
		defer done()
		_ = device.Unsubscribe(ctx) // the broker has forgotten it already
	}()
}

// notifications is the page /notifications.
func (r *Root) notifications() app.UI {
	n := &r.wishes
	p, types := r.Live.Preferences(), readable(r.state.User.Grant())
	return r.page(text.Of("page.notifications"),
		ui.Slot(n.problem != "", func() app.UI { return ui.TextEl("p", "banner banner-denied", n.problem).Role("alert") }),
		ui.Slot(n.note != "", func() app.UI { return ui.TextEl("p", "banner", n.note).Role("status") }),
		ui.El("div", "columns", ui.Card("", "types", text.Of("notify.types"), ui.TextEl("p", "row-meta", text.Of("notify.types.text")),
			ui.El("table", "preferences", ui.El("thead", "", ui.El("tr", "", ui.TextEl("th", "", text.Of("drawer.type")).Attr("scope", "col"), ui.TextEl("th", "", text.Of("notify.toast")).Attr("scope", "col"), ui.TextEl("th", "", text.Of("notify.push")).Attr("scope", "col"))),
				ui.El("tbody", "", ui.Each(len(types), func(i int) app.UI { return r.wish(p, types[i]) })))),
			ui.El("div", "stack", r.pushCard(n), ui.Slot(!n.none, func() app.UI { return r.quietCard(p) }), r.toastTime())))
}

// wish is a row of the table: a type, and how its user is told.
func (r *Root) wish(p notify.Preferences, t event.Type) app.UI {
	change := func(list []event.Type, on bool) []event.Type {
		out := slices.DeleteFunc(list, func(other event.Type) bool { return other == t })
		if on {
			out = append(out, t)
		}
		return out
	}
	label := text.Label(string(t))
	muted, pushed := slices.Contains(p.Muted, t), slices.Contains(p.Push, t)
	return ui.El("tr", "", ui.TextEl("th", "", label).Attr("scope", "row"),
		ui.El("td", "", check("toast-"+string(t), text.Of("notify.toast.of", label), !muted, func(on bool) {
			r.prefer(func(p *notify.Preferences) { p.Muted = change(p.Muted, !on) })
		})),
		ui.El("td", "", check("push-"+string(t), text.Of("notify.push.of", label), pushed, func(on bool) {
			r.prefer(func(p *notify.Preferences) { p.Push = change(p.Push, on) })
		})))
}

func check(id, label string, on bool, set func(on bool)) app.UI {
	return ui.El("label", "check", ui.Input().Attr("type", "checkbox").ID(id).Attr("checked", on).OnChange(func(_ app.Context, e app.Event) { set(e.Get("target").Get("checked").Bool()) }, app.EventScope(id)),
		ui.TextEl("span", "visually-hidden", label))
}

// prefer changes what the user wants. Where the broker does not take it, the
// controls show again what it has.
func (r *Root) prefer(change func(p *notify.Preferences)) {
	r.wishes.problem, r.wishes.note = "", ""
	asked := r.asked
	r.Live.ChangePreferences(change, func(err error) {
		r.ctx.Dispatch(func(ctx app.Context) {
			if asked != r.asked {
				return
			}
			r.wishes.problem = live.Explain(err)
			ctx.Defer(func(app.Context) { showWishes(r.Live.Preferences()) })
		})
	})
}

// showWishes sets the controls: go-app leaves alone what it thinks they are.
func showWishes(p notify.Preferences) {
	set := func(id string, on bool) {
		if control := app.Window().GetElementByID(id); control.Truthy() {
			control.Set("checked", on)
		}
	}
	for _, t := range event.Types {
		set("toast-"+string(t), !slices.Contains(p.Muted, t))
		set("push-"+string(t), slices.Contains(p.Push, t))
	}
	set("quiet-on", p.Quiet != nil)
}

// pushCard turns pushes to this device on and off.
func (r *Root) pushCard(n *notifyPage) app.UI {
	if n.none {
		return ui.Card("", "push", text.Of("push"), ui.TextEl("p", "row-meta", text.Of("push.none")))
	}
	this := n.this
	on := n.push == device.PushOn && slices.ContainsFunc(n.devices, func(d wasmclient.Device) bool { return d.ID == this })
	words := map[device.PushState]string{device.PushUnknown: "push.unknown", device.PushUnsupported: "push.unsupported", device.PushBlocked: "push.blocked", device.PushOff: "push.off", device.PushOn: "push.off"}[n.push]
	if on {
		words = "push.on"
	}
	able := n.push == device.PushOff || n.push == device.PushOn
	return ui.Card("", "push", text.Of("push"), ui.TextEl("p", "row-meta", text.Of(words)),
		ui.El("div", "buttons card-buttons", ui.If(!on, func() app.UI {
			return ui.Button("button button-primary", text.Of("push.turn_on")).Attr("disabled", n.busy || !able).ID("push-on").OnClick(func(app.Context, app.Event) { n.turnOn(r) })
		}).Else(func() app.UI {
			return ui.Button("button", text.Of("push.test")).Attr("disabled", n.busy).ID("push-test").OnClick(func(app.Context, app.Event) {
				n.run(r, text.Of("push.test.note"), func(ctx context.Context) error { return r.Live.API().TestDevice(ctx, this) })
			})
		})),
		ui.El("ul", "devices", ui.Each(len(n.devices), func(i int) app.UI {
			d := n.devices[i]
			name := d.Name
			if name == "" {
				name = text.Of("push.device")
			}
			if d.ID == this {
				name = text.Of("push.this", name)
			}
			return ui.El("li", "device", ui.El("div", "row-main", ui.TextEl("p", "row-text", name),
				ui.TextEl("p", "row-meta", text.Of("push.since", text.Day(d.Created))),
				ui.If(d.Failing != nil, func() app.UI { return ui.TextEl("p", "problem", failing(d.Failing)) })),
				ui.Button("button button-small", text.Of("push.turn_off")).Attr("disabled", n.busy).Aria("label", text.Of("push.turn_off.of", name)).OnClick(func(app.Context, app.Event) { n.turnOff(r, d.ID) }, app.EventScope(d.ID)))
		})))
}

// failing returns the time since when a push service refuses a device, with advice. The fault is not the device's when
// the service refuses the broker.
func failing(f *wasmclient.Failing) string {
	key := "push.failing"
	if f.Status == 401 || f.Status == 403 {
		key = "push.failing.vapid"
	}
	return text.Of(key, text.Day(f.Since), strconv.Itoa(f.Status))
}

// quietCard keeps the hours in which nothing is pushed.
func (r *Root) quietCard(p notify.Preferences) app.UI {
	q := notify.QuietHours{From: "22:00", To: "06:00"}
	if p.Quiet != nil {
		q = *p.Quiet
	}
	save := func(change func(q *notify.QuietHours)) {
		r.prefer(func(p *notify.Preferences) {
			next := q
			if p.Quiet != nil {
				next = *p.Quiet
			}
			change(&next)
			next.Zone = device.Zone()
			p.Quiet = &next
		})
	}
	hour := func(id, label, value string, set func(q *notify.QuietHours, value string)) app.UI {
		return ui.El("div", "field", ui.TextEl("label", "", label).Attr("for", id), ui.Input().ID(id).Attr("type", "time").Attr("required", true).Attr("disabled", p.Quiet == nil).Attr("value", value).
			OnChange(func(_ app.Context, e app.Event) {
				if at := e.Get("target").Get("value").String(); at != "" {
					save(func(q *notify.QuietHours) { set(q, at) })
				}
			}, app.EventScope(id, p.Quiet != nil, q.From, q.To)))
	}
	return ui.Card("", "quiet", text.Of("quiet"), ui.TextEl("p", "row-meta", text.Of("quiet.text")),
		ui.El("div", "field field-check", ui.TextEl("label", "", text.Of("quiet.on")).Attr("for", "quiet-on"),
			ui.Input().Attr("type", "checkbox").ID("quiet-on").Attr("checked", p.Quiet != nil).OnChange(func(_ app.Context, e app.Event) {
				if e.Get("target").Get("checked").Bool() {
					save(func(*notify.QuietHours) {})
					return
				}
				r.prefer(func(p *notify.Preferences) { p.Quiet = nil })
			})),
		ui.El("div", "pair", hour("quiet-from", text.Of("quiet.from"), q.From, func(q *notify.QuietHours, v string) { q.From = v }),
			hour("quiet-to", text.Of("quiet.to"), q.To, func(q *notify.QuietHours, v string) { q.To = v })))
}

// ToastScale is how much longer toasts stay, as the user has set it on this
// device.
func ToastScale() float64 {
	switch device.Setting(device.ToastTime) {
	case "2":
		return 2
	case "never":
		return toast.Never
	}
	return 1
}

func (r *Root) toastTime() app.UI {
	return ui.El("section", "card", r.choice("toast-time", text.Of("toast_time"), device.ToastTime, []string{"", "2", "never"}, func(string) {
		r.Live.UpdateToasts(func(q *toast.Queue, _ time.Time) { q.SetScale(ToastScale()) })
	}))
}

// outboxPage is the page /outbox.
func (r *Root) outboxPage() app.UI {
	return r.page(text.Of("page.outbox"), ui.TextEl("p", "lead", text.Of("outbox.lead")),
		ui.El("section", "card", r.outbox()).Aria("label", text.Of("page.outbox")))
}

// outbox is what was sent from this browser.
func (r *Root) outbox() app.UI {
	return ui.Outbox(r.state.View.Outbox, r.state.Tab,
		func(id string) { r.Live.WithClient(func(c *wasmclient.Client) { c.RetryItem(id) }) },
		func(id string) { r.Live.WithClient(func(c *wasmclient.Client) { c.DiscardItem(id) }) })
}
