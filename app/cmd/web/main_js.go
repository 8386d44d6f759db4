// Command web is the app, compiled for the browser. It connects the pages to the client, and
// starts them.
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
	logStep, logEvent := browser.Debug()
	text.SetStyle(pages.SavedStyle())
	l := live.New(browser.Transport{}, live.Environment{
		Page:        browser.NewPage(),
		Storage:     &browser.Storage{Name: "yardline"},
		Grace:       browser.Grace(),
		MaxToasts:   pages.MaxToasts(device.Narrow(nil)),
		OnStep:      logStep,
		OnEvent:     logEvent,
		SetBadge:    device.Badge,
		ToastFormat: text.ToastFormat,
		ToastScale:  pages.ToastScale,
		OnSignedIn:  pages.RenewPush,
		OnForget:    pages.ForgetPush,
	})
	app.RouteWithRegexp(`^/.*$`, func() app.Composer { return pages.NewRoot(l) })
	app.RunWhenOnBrowser()
}
