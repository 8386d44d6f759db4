package pages

import (
	"context"
	"encoding/json"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
)

// settingsPage is what /settings keeps between two renders.
type settingsPage struct{ reload bool } // a setting takes effect with the next load

// choice is a setting of this device out of a few.
func (r *Root) choice(id, label, name string, values []string, changed func(value string)) app.UI {
	var options []ui.Option
	for _, v := range values {
		options = append(options, ui.Option{Value: v, Label: text.Of(id + "." + v)})
	}
	return ui.Select(id, label, options, device.Setting(name), func(_ app.Context, value string) {
		device.Set(name, value)
		changed(value)
	})
}

// StyleOf is how the user wants dates and money on this device.
func StyleOf() (s text.Style) {
	_ = json.Unmarshal([]byte(device.Setting(device.Style)), &s) // none, or a damaged one, is the default
	return s
}

func setStyle(s text.Style) {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // our own type
	}
	device.Set(device.Style, string(raw))
	text.SetStyle(s)
}

// settings is the page /settings.
func (r *Root) settings() app.UI {
	style := StyleOf()
	toggle := func(id, label string, on bool, change func(on bool)) app.UI {
		return ui.El("div", "field field-check", ui.TextEl("label", "", label).Attr("for", id),
			ui.Input().Attr("type", "checkbox").ID(id).Attr("checked", on).OnChange(func(app.Context, app.Event) { change(!on) }, app.EventScope(id, on)))
	}
	return r.page(text.Of("page.settings"),
		ui.El("div", "columns", ui.El("div", "stack", ui.Card("", "look", text.Of("settings.look"), r.choice("theme", text.Of("settings.theme"), device.Theme, []string{"", "light", "dark"}, device.ApplyTheme),
			toggle("iso-dates", text.Of("settings.iso"), style.ISODates, func(on bool) { s := StyleOf(); s.ISODates = on; setStyle(s) }),
			toggle("money-code", text.Of("settings.money"), style.MoneyCode, func(on bool) { s := StyleOf(); s.MoneyCode = on; setStyle(s) }),
			ui.TextEl("p", "row-meta", text.Of("settings.sample", text.DateTime(r.now),
				text.Money(1234*event.MoneyUnit+560, "EUR")))),
			ui.Card("", "keys", text.Of("keys"), toggle("shortcuts", text.Of("settings.keys"), device.Setting(device.Shortcuts) != "off", func(on bool) {
				device.Set(device.Shortcuts, map[bool]string{true: "", false: "off"}[on])
			}), r.keyHelp()),
			r.installCard()),
			ui.El("div", "stack", ui.Card("", "account", text.Of("settings.account"),
				ui.TextEl("p", "", text.Of("settings.who", userName(r.state.User))),
				ui.TextEl("p", "row-meta", text.Of("settings.purge")),
				ui.El("div", "buttons card-buttons", ui.Button("button", text.Of("sign_out")).OnClick(func(app.Context, app.Event) { go r.Live.SignOut(context.Background()) }))),
				ui.Card("", "debug", text.Of("settings.debug"), toggle("debug", text.Of("settings.debug.on"), device.Setting(device.Debug) == "true", func(on bool) {
					device.Set(device.Debug, map[bool]string{true: "true", false: ""}[on])
					r.device.reload = true
				}),
					ui.TextEl("p", "row-meta", text.Of(map[bool]string{false: "settings.debug.text", true: "settings.reload"}[r.device.reload]))),
				r.panel())))
}

// installCard offers to install the app, where the browser can.
func (r *Root) installCard() app.UI {
	words, can := "install.cannot", false
	if app.IsClient {
		switch {
		case device.Installed():
			words = "install.done"
		case r.ctx.IsAppInstallable():
			words, can = "install.text", true
		case device.Apple():
			words = "install.apple"
		}
	}
	return ui.Card("", "install", text.Of("install"), ui.TextEl("p", "row-meta", text.Of(words)),
		ui.El("div", "card-buttons", ui.If(can, func() app.UI {
			return ui.Button("button button-primary", text.Of("install.do")).ID("install").OnClick(func(app.Context, app.Event) { app.Window().Call("goappShowInstallPrompt") })
		})))
}
