package pages

import (
	"context"
	"encoding/json"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/text"
)

// settingsPage is what /settings keeps between two renders.
type settingsPage struct{ reload bool } // a setting takes effect with the next load

// choice is a setting of this device out of a few.
func (r *Root) choice(id, label, name string, values []string, changed func(value string)) app.UI {
	now := device.Setting(name)
	return app.Div().Class("field").Body(app.Label().For(id).Text(label),
		app.Select().ID(id).OnChange(func(_ app.Context, e app.Event) {
			value := e.Get("target").Get("value").String()
			device.Set(name, value)
			changed(value)
		}, app.EventScope(id)).Body(app.Range(values).Slice(func(i int) app.UI {
			return app.Option().Attr("value", values[i]).Selected(now == values[i]).Text(text.Of(id + "." + values[i]))
		})))
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
		return app.Div().Class("field", "field-check").Body(app.Label().For(id).Text(label),
			app.Input().Type("checkbox").ID(id).Checked(on).OnChange(func(app.Context, app.Event) { change(!on) }, app.EventScope(id, on)))
	}
	return r.page(text.Of("page.settings"),
		app.Div().Class("columns").Body(
			app.Div().Class("stack").Body(
				app.Section().Class("card").Aria("labelledby", "look-title").Body(
					app.H2().ID("look-title").Text(text.Of("settings.look")),
					r.choice("theme", text.Of("settings.theme"), device.Theme, []string{"", "light", "dark"}, device.ApplyTheme),
					toggle("iso-dates", text.Of("settings.iso"), style.ISODates, func(on bool) { style.ISODates = on; setStyle(style) }),
					toggle("money-code", text.Of("settings.money"), style.MoneyCode, func(on bool) { style.MoneyCode = on; setStyle(style) }),
					app.P().Class("row-meta").Text(text.Of("settings.sample", text.DateTime(r.now), text.Money(123456, "EUR")))),
				app.Section().Class("card").Aria("labelledby", "keys-title").Body(
					app.H2().ID("keys-title").Text(text.Of("keys")),
					toggle("shortcuts", text.Of("settings.keys"), device.Setting(device.Shortcuts) != "off", func(on bool) {
						device.Set(device.Shortcuts, map[bool]string{true: "", false: "off"}[on])
					}), keyHelp()),
				r.installCard()),
			app.Div().Class("stack").Body(
				app.Section().Class("card").Aria("labelledby", "account-title").Body(
					app.H2().ID("account-title").Text(text.Of("settings.account")),
					app.P().Text(text.Of("settings.who", text.Label(r.state.User.Name))),
					app.P().Class("row-meta").Text(text.Of("settings.purge")),
					app.Div().Class("buttons", "card-buttons").Body(app.Button().Type("button").Class("button").Text(text.Of("sign_out")).OnClick(func(app.Context, app.Event) { go r.Live.SignOut(context.Background()) }))),
				app.Section().Class("card").Aria("labelledby", "debug-title").Body(
					app.H2().ID("debug-title").Text(text.Of("settings.debug")),
					toggle("debug", text.Of("settings.debug.on"), device.Setting(device.Debug) == "true", func(on bool) {
						device.Set(device.Debug, map[bool]string{true: "true", false: ""}[on])
						r.device.reload = true
					}),
					app.P().Class("row-meta").Text(text.Of(map[bool]string{false: "settings.debug.text", true: "settings.reload"}[r.device.reload]))),
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
		}
	}
	return app.Section().Class("card").Aria("labelledby", "install-title").Body(
		app.H2().ID("install-title").Text(text.Of("install")),
		app.P().Class("row-meta").Text(text.Of(words)),
		app.Div().Class("card-buttons").Body(app.If(can, func() app.UI {
			return app.Button().Type("button").Class("button", "button-primary").ID("install").Text(text.Of("install.do")).OnClick(func(ctx app.Context, _ app.Event) { ctx.ShowAppInstallPrompt() })
		})))
}
