package pages

import (
	"encoding/json"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/app/ui"
	"github.com/snd-rental/yardline/shared/event"
)

// settingsPage is the page /settings.
type settingsPage struct {
	basicPage
	needsReload bool // the user has changed a setting that takes effect when the page is loaded anew
}

func (p *settingsPage) forget() { *p = settingsPage{} }

// SavedStyle returns the notation of dates and money that the user has chosen on this device.
func SavedStyle() (s text.Style) {
	_ = json.Unmarshal([]byte(device.Setting(device.Style)), &s) // a missing or damaged setting is the default
	return s
}

// changeStyle changes the notation of dates and money on this device.
func changeStyle(change func(*text.Style)) {
	s := SavedStyle()
	change(&s)
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a style always marshals
	}
	device.Set(device.Style, string(raw))
	text.SetStyle(s)
}

// settingSelect renders a setting of this device with a few values. The id is also the prefix of the texts of the
// values.
func settingSelect(id, label, name string, values []string, changed func(value string)) app.UI {
	var options []ui.Option
	for _, v := range values {
		options = append(options, ui.Option{Value: v, Label: text.Of(id + "." + v)})
	}
	save := func(_ app.Context, value string) {
		device.Set(name, value)
		changed(value)
	}
	return ui.Select(id, label, options, device.Setting(name), save)
}

func (p *settingsPage) render(h *host) app.UI {
	first := ui.El("div", "stack",
		appearanceCard(h),
		shortcutsCard(h),
		installCard(h))
	second := ui.El("div", "stack",
		accountCard(h),
		p.debugCard(),
		h.connectionPanel())
	return h.frame(text.Of("page.settings"), ui.El("div", "columns", first, second))
}

func appearanceCard(h *host) app.UI {
	style := SavedStyle()
	themes := []string{"", "light", "dark"}
	theme := settingSelect("theme", text.Of("settings.theme"), device.Theme, themes, device.ApplyTheme)
	isoDates := ui.CheckField("iso-dates", text.Of("settings.iso"), style.ISODates, func(on bool) {
		changeStyle(func(s *text.Style) { s.ISODates = on })
	})
	moneyCode := ui.CheckField("money-code", text.Of("settings.money"), style.MoneyCode, func(on bool) {
		changeStyle(func(s *text.Style) { s.MoneyCode = on })
	})
	sample := text.Of("settings.sample", text.DateTime(h.now), text.Money(1234*event.MoneyUnit+560, "EUR"))
	return ui.Card("", "appearance", text.Of("settings.look"),
		theme,
		isoDates,
		moneyCode,
		ui.TextEl("p", "row-meta", sample))
}

func shortcutsCard(h *host) app.UI {
	on := device.Setting(device.Shortcuts) != "off"
	shortcuts := ui.CheckField("shortcuts", text.Of("settings.keys"), on, func(on bool) {
		value := ""
		if !on {
			value = "off"
		}
		device.Set(device.Shortcuts, value)
	})
	return ui.Card("", "keys", text.Of("keys"), shortcuts, shortcutHelp(h))
}

func accountCard(h *host) app.UI {
	signOut := ui.Button("button", text.Of("sign_out")).
		OnClick(func(app.Context, app.Event) { h.signOut() })
	return ui.Card("", "account", text.Of("settings.account"),
		ui.TextEl("p", "", text.Of("settings.who", userName(h.state.User))),
		ui.TextEl("p", "row-meta", text.Of("settings.purge")),
		ui.El("div", "buttons card-buttons", signOut))
}

// debugCard switches the debug log on and off, which takes effect when the page is loaded anew.
func (p *settingsPage) debugCard() app.UI {
	on := device.Setting(device.Debug) == "true"
	debug := ui.CheckField("debug", text.Of("settings.debug.on"), on, func(on bool) {
		value := ""
		if on {
			value = "true"
		}
		device.Set(device.Debug, value)
		p.needsReload = true
	})
	hint := "settings.debug.text"
	if p.needsReload {
		hint = "settings.reload"
	}
	return ui.Card("", "debug", text.Of("settings.debug"),
		debug,
		ui.TextEl("p", "row-meta", text.Of(hint)))
}

// installCard offers to install the app if the browser can do it.
func installCard(h *host) app.UI {
	words, canInstall := "install.cannot", false
	if app.IsClient {
		switch {
		case device.Installed():
			words = "install.done"
		case h.ctx.IsAppInstallable():
			words, canInstall = "install.text", true
		case device.Apple():
			words = "install.apple"
		}
	}
	install := ui.If(canInstall, func() app.UI {
		return ui.Button("button button-primary", text.Of("install.do")).
			ID("install").
			OnClick(func(app.Context, app.Event) { app.Window().Call("goappShowInstallPrompt") })
	})
	return ui.Card("", "install", text.Of("install"),
		ui.TextEl("p", "row-meta", text.Of(words)),
		ui.El("div", "card-buttons", install))
}
