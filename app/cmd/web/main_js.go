// Command web is the app in the browser.
package main

import (
	"crypto/rand"
	"strings"

	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/live"
	"github.com/snd-rental/yardline/app/pages"
	"github.com/snd-rental/yardline/wasmclient/browser"
)

func main() {
	bridge := live.New(browser.Transport{}, live.Page{
		Tab: strings.ToLower(rand.Text()[:6]), HasFocus: browser.HasFocus, WatchNetwork: browser.WatchNetwork, Debug: browser.Debug()})
	app.RouteWithRegexp(`^/.*$`, func() app.Composer { return &pages.Root{Live: bridge} })
	app.RunWhenOnBrowser()
}
