// Command web is the app in the browser.
package main

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/device"
	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/pages"
	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/wasmclient/browser"
)

func main() {
	step, event := browser.Debug()
	text.SetStyle(pages.StyleOf())
	bridge := live.New(browser.Transport{}, live.Surroundings{
		Page: browser.NewPage(), Storage: &browser.Storage{Name: "yardline"}, Grace: browser.Grace(),
		MaxToasts: pages.MaxToasts(device.Narrow(nil)), OnStep: step, OnEvent: event,
		Badge: device.Badge, Format: text.Format, Scale: pages.ToastScale, Welcome: pages.RenewPush, Forget: pages.Forget})
	app.RouteWithRegexp(`^/.*$`, func() app.Composer { return &pages.Root{Live: bridge} })
	app.RunWhenOnBrowser()
}
