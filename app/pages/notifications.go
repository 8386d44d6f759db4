package pages

import (
	"slices"
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

// notificationsPage is the page /notifications: the types of which the user wants toasts and pushes, the devices with
// pushes, the quiet hours, and how long toasts stay. The methods for pushes are in push.go.
type notificationsPage struct {
	push        device.PushState    // of this browser
	devices     []wasmclient.Device // of the user
	deviceID    string              // the broker's id of this device; "" if it has none
	unavailable bool                // the broker sends no pushes
	busy        bool                // a request that changes the state of pushes runs
	problem     string              // shown as an alert; "" for none
	note        string              // shown as a success; "" for none
}

func (p *notificationsPage) arrive(h *host, a arrival) {
	switch a {
	case pageOpened:
		p.load(h)
	case brokerReachable:
		p.problem = ""
		if h.isOpen("notifications") {
			p.load(h)
		}
	}
}

func (p *notificationsPage) forget() { *p = notificationsPage{} }

func (p *notificationsPage) render(h *host) app.UI {
	preferences := h.live.Preferences()
	cards := ui.El("div", "stack",
		p.pushCard(h),
		ui.Slot(!p.unavailable, func() app.UI { return p.quietCard(h, preferences) }),
		toastTimeCard(h))
	columns := ui.El("div", "columns",
		p.typesCard(h, preferences),
		cards)
	return h.frame(text.Of("page.notifications"),
		ui.Message("banner banner-denied", "alert", p.problem),
		ui.Message("banner", "status", p.note),
		columns)
}

// typesCard renders the table of event types with the preferences of the user.
func (p *notificationsPage) typesCard(h *host, preferences notify.Preferences) app.UI {
	types := readableTypes(h.grant())
	headings := []string{text.Of("drawer.type"), text.Of("notify.toast"), text.Of("notify.push")}
	table := ui.Table("preferences", headings, len(types), func(i int) app.UI {
		return p.typeRow(h, preferences, types[i])
	})
	return ui.Card("", "types", text.Of("notify.types"),
		ui.TextEl("p", "row-meta", text.Of("notify.types.text")),
		table)
}

// typeRow renders the row of one event type.
func (p *notificationsPage) typeRow(h *host, preferences notify.Preferences, t event.Type) app.UI {
	label := text.Label(string(t))
	setToast := func(on bool) {
		p.prefer(h, func(next *notify.Preferences) { next.Muted = withType(next.Muted, t, !on) })
	}
	setPush := func(on bool) {
		p.prefer(h, func(next *notify.Preferences) { next.Push = withType(next.Push, t, on) })
	}
	toasts := !slices.Contains(preferences.Muted, t)
	pushes := slices.Contains(preferences.Push, t)
	return ui.El("tr", "",
		ui.TextEl("th", "", label).Attr("scope", "row"),
		ui.El("td", "", ui.HiddenLabelCheckbox(toastID(t), text.Of("notify.toast.of", label), toasts, setToast)),
		ui.El("td", "", ui.HiddenLabelCheckbox(pushID(t), text.Of("notify.push.of", label), pushes, setPush)))
}

// The ids of the controls of a type and of the quiet hours.
func toastID(t event.Type) string { return "toast-" + string(t) }

func pushID(t event.Type) string { return "push-" + string(t) }

const quietID = "quiet-on"

// withType returns a list of types with or without a type.
func withType(list []event.Type, t event.Type, present bool) []event.Type {
	out := slices.DeleteFunc(list, func(other event.Type) bool { return other == t })
	if present {
		out = append(out, t)
	}
	return out
}

// prefer changes the preferences of the user. If the broker refuses the change, the controls show the preferences of
// the broker again.
func (p *notificationsPage) prefer(h *host, change func(*notify.Preferences)) {
	p.problem, p.note = "", ""
	serial := h.userSerial
	h.live.ChangePreferences(change, func(err error) {
		h.ctx.Dispatch(func(ctx app.Context) {
			if serial != h.userSerial {
				return
			}
			p.problem = live.Explain(err)
			ctx.Defer(func(app.Context) { setPreferenceControls(h.live.Preferences()) })
		})
	})
}

// setPreferenceControls sets the checkboxes to the preferences. A render would not do it, because go-app does not know
// that the user has changed them.
func setPreferenceControls(preferences notify.Preferences) {
	set := func(id string, on bool) {
		if control := app.Window().GetElementByID(id); control.Truthy() {
			control.Set("checked", on)
		}
	}
	for _, t := range event.Types {
		set(toastID(t), !slices.Contains(preferences.Muted, t))
		set(pushID(t), slices.Contains(preferences.Push, t))
	}
	set(quietID, preferences.Quiet != nil)
}

// defaultQuietHours are the quiet hours of a user who switches them on.
var defaultQuietHours = notify.QuietHours{From: "22:00", To: "06:00"}

// quietCard renders the hours in which the user gets no pushes.
func (p *notificationsPage) quietCard(h *host, preferences notify.Preferences) app.UI {
	hours := defaultQuietHours
	if preferences.Quiet != nil {
		hours = *preferences.Quiet
	}
	save := func(change func(*notify.QuietHours)) {
		p.prefer(h, func(preferences *notify.Preferences) {
			next := hours
			if preferences.Quiet != nil {
				next = *preferences.Quiet
			}
			change(&next)
			next.Zone = device.Zone()
			preferences.Quiet = &next
		})
	}
	switchOn := ui.CheckField(quietID, text.Of("quiet.on"), preferences.Quiet != nil, func(on bool) {
		if on {
			save(func(*notify.QuietHours) {})
			return
		}
		p.prefer(h, func(preferences *notify.Preferences) { preferences.Quiet = nil })
	})
	field := func(id, label, value string, changed func(value string)) app.UI {
		return quietField(id, label, value, preferences.Quiet, hours, changed)
	}
	from := field("quiet-from", text.Of("quiet.from"), hours.From, func(value string) {
		save(func(q *notify.QuietHours) { q.From = value })
	})
	to := field("quiet-to", text.Of("quiet.to"), hours.To, func(value string) {
		save(func(q *notify.QuietHours) { q.To = value })
	})
	return ui.Card("", "quiet", text.Of("quiet"),
		ui.TextEl("p", "row-meta", text.Of("quiet.text")),
		switchOn,
		ui.El("div", "pair", from, to))
}

// quietField renders the input of a time of day. It is disabled while the quiet hours are off (quiet is nil). The hours
// are part of the event scope, because changed closes over them.
func quietField(
	id, label, value string,
	quiet *notify.QuietHours,
	hours notify.QuietHours,
	changed func(value string),
) app.UI {
	onChange := func(_ app.Context, e app.Event) {
		if value := e.Get("target").Get("value").String(); value != "" {
			changed(value)
		}
	}
	input := ui.Input().
		ID(id).
		Attr("type", "time").
		Attr("required", true).
		Attr("disabled", quiet == nil).
		Attr("value", value).
		OnChange(onChange, app.EventScope(id, quiet != nil, hours.From, hours.To))
	return ui.Field(id, label, input)
}

// toastTimeCard renders the choice of how long toasts stay.
func toastTimeCard(h *host) app.UI {
	changed := func(string) {
		h.live.UpdateToasts(func(q *toast.Queue, _ time.Time) { q.SetScale(ToastScale()) })
	}
	choices := []string{"", "2", "never"}
	return ui.El("section", "card",
		settingSelect("toast-time", text.Of("toast_time"), device.ToastTime, choices, changed))
}
