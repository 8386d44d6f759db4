package pages

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/wasmclient"
)

// legacyDeviceKey is the setting in which earlier versions kept the broker's id of this device. The service worker
// cannot read settings, so the id has moved to the storage of the client.
const legacyDeviceKey = "push-device"

// loadDeviceID returns the broker's id of this device, or "" if the device has none.
func loadDeviceID(ctx context.Context, l *live.Live) string {
	id := l.DeviceID(ctx)
	if id == "" {
		id = device.Setting(legacyDeviceKey)
	}
	return id
}

// saveDeviceID keeps the broker's id of this device. The id "" removes it.
func saveDeviceID(ctx context.Context, l *live.Live, id string) error {
	err := l.SaveDeviceID(ctx, id)
	if err == nil {
		device.Set(legacyDeviceKey, "")
	}
	return err
}

// load asks the browser and the broker for the state of pushes. It asks the user for nothing.
func (p *notificationsPage) load(h *host) {
	var state device.PushState
	var devices []wasmclient.Device
	var available bool
	var id string
	h.request(func(ctx context.Context) (err error) {
		state, id = device.Push(ctx), loadDeviceID(ctx, h.live)
		devices, available, err = h.live.API().Devices(ctx)
		return err
	}, func(err error) {
		p.push = state
		if err != nil {
			p.problem = live.Explain(err)
			return
		}
		p.devices, p.unavailable, p.deviceID = devices, !available, id
	})
}

// change runs work that changes the state of pushes and then loads the state. If the work succeeds, the page shows
// note.
func (p *notificationsPage) change(h *host, note string, work func(ctx context.Context) error) {
	p.busy, p.problem, p.note = true, "", ""
	h.request(work, func(err error) {
		p.busy = false
		switch {
		case errors.Is(err, device.ErrRefused):
			p.problem = text.Of("push.refused")
		case err != nil:
			p.problem = explainPushError(err)
		default:
			p.note = note
		}
		p.load(h)
	})
}

// explainPushError returns a sentence about an error. It quotes an error of the browser.
func explainPushError(err error) string {
	var refused *wasmclient.Error
	if errors.As(err, &refused) {
		return refused.Sentence()
	}
	return text.Of("push.browser", err.Error())
}

// turnOn starts pushes to this device. The browser may ask the user for permission.
func (p *notificationsPage) turnOn(h *host) {
	p.change(h, text.Of("push.on.note"), func(ctx context.Context) error {
		key, err := h.live.API().PushKey(ctx)
		if err != nil {
			return err
		}
		subscription, err := device.Subscribe(ctx, key)
		if err != nil {
			return err
		}
		d, err := h.live.API().AddDevice(ctx, subscription, device.Name(), loadDeviceID(ctx, h.live))
		if err != nil {
			return err
		}
		return saveDeviceID(ctx, h.live, d.ID)
	})
}

// turnOff ends the pushes to a device of the user.
func (p *notificationsPage) turnOff(h *host, id string) {
	p.change(h, text.Of("push.off.note"), func(ctx context.Context) error {
		if id == loadDeviceID(ctx, h.live) {
			if err := device.Unsubscribe(ctx); err != nil && !errors.Is(err, device.ErrUnsupported) {
				return err
			}
			if err := saveDeviceID(ctx, h.live, ""); err != nil {
				return err
			}
		}
		return h.live.API().RemoveDevice(ctx, id)
	})
}

// RenewPush tells the broker that the user of this device is still signed in, if the user gets pushes on it. It
// subscribes anew if the browser has lost the subscription, or has one with a key that the broker no longer has.
func RenewPush(ctx context.Context, l *live.Live) {
	id := loadDeviceID(ctx, l)
	if id == "" {
		return
	}
	devices, _, err := l.API().Devices(ctx)
	isOfUser := slices.ContainsFunc(devices, func(d wasmclient.Device) bool { return d.ID == id })
	if err != nil || !isOfUser { // another user may have turned on the pushes on this device
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
		_ = saveDeviceID(ctx, l, d.ID) // The next visit repeats a step that fails now.
	}
}

// ForgetPush ends the pushes to this device after a sign-out. It does not wait for the browser.
func ForgetPush() {
	device.Set(legacyDeviceKey, "")
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		_ = device.Unsubscribe(ctx) // the broker has removed the device already
	}()
}

// isOn reports whether this device gets pushes.
func (p *notificationsPage) isOn() bool {
	isKnown := slices.ContainsFunc(p.devices, func(d wasmclient.Device) bool { return d.ID == p.deviceID })
	return p.push == device.PushOn && isKnown
}

// pushTexts maps the states of pushes in the browser to the keys of their texts. The browser may have a subscription of
// another user, so PushOn alone reads as off.
var pushTexts = map[device.PushState]string{
	device.PushUnknown:     "push.unknown",
	device.PushUnsupported: "push.unsupported",
	device.PushBlocked:     "push.blocked",
	device.PushOff:         "push.off",
	device.PushOn:          "push.off",
}

// pushCard renders the card that turns pushes to this device on and off.
func (p *notificationsPage) pushCard(h *host) app.UI {
	if p.unavailable {
		return ui.Card("", "push", text.Of("push"), ui.TextEl("p", "row-meta", text.Of("push.none")))
	}
	on, words := p.isOn(), pushTexts[p.push]
	if on {
		words = "push.on"
	}
	button := ui.If(!on, func() app.UI {
		canTurnOn := p.push == device.PushOff || p.push == device.PushOn
		return ui.Button("button button-primary", text.Of("push.turn_on")).
			Attr("disabled", p.busy || !canTurnOn).
			ID("push-on").
			OnClick(func(app.Context, app.Event) { p.turnOn(h) })
	}).Else(func() app.UI {
		return ui.Button("button", text.Of("push.test")).
			Attr("disabled", p.busy).
			ID("push-test").
			OnClick(func(app.Context, app.Event) { p.sendTest(h) })
	})
	devices := ui.Each(len(p.devices), func(i int) app.UI { return p.deviceRow(h, p.devices[i]) })
	return ui.Card("", "push", text.Of("push"),
		ui.TextEl("p", "row-meta", text.Of(words)),
		ui.El("div", "buttons card-buttons", button),
		ui.El("ul", "devices", devices))
}

// sendTest asks the broker for a push to this device.
func (p *notificationsPage) sendTest(h *host) {
	id := p.deviceID
	p.change(h, text.Of("push.test.note"), func(ctx context.Context) error {
		return h.live.API().TestDevice(ctx, id)
	})
}

func (p *notificationsPage) deviceRow(h *host, d wasmclient.Device) app.UI {
	name := d.Name
	if name == "" {
		name = text.Of("push.device")
	}
	if d.ID == p.deviceID {
		name = text.Of("push.this", name)
	}
	turnOff := ui.Button("button button-small", text.Of("push.turn_off")).
		Attr("disabled", p.busy).
		Aria("label", text.Of("push.turn_off.of", name)).
		OnClick(func(app.Context, app.Event) { p.turnOff(h, d.ID) }, app.EventScope(d.ID))
	details := ui.El("div", "row-main",
		ui.TextEl("p", "row-text", name),
		ui.TextEl("p", "row-meta", text.Of("push.since", text.Day(d.Created))),
		ui.If(d.Failing != nil, func() app.UI { return ui.TextEl("p", "problem", failureText(d.Failing)) }))
	return ui.El("li", "device", details, turnOff)
}

// failureText returns a sentence about the push service's refusal of a device, with advice. The statuses 401 and 403
// are refusals of the broker, which the device cannot repair.
func failureText(f *wasmclient.Failing) string {
	key := "push.failing"
	if f.Status == 401 || f.Status == 403 {
		key = "push.failing.vapid"
	}
	return text.Of(key, text.Day(f.Since), strconv.Itoa(f.Status))
}
