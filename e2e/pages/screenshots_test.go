//go:build screenshots

package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/event"
)

// This test makes the gallery of "make screenshots": every page, wide and narrow, light and dark, of a company that has
// been at work for a while.
func TestScreenshots(t *testing.T) {
	dir, err := filepath.Abs("../../bin/screenshots")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s := stack.Start(t, "--demo", "--demo-rate", "25", "--time-zone", "Europe/Berlin")
	for _, typ := range event.Types {
		s.Publish(fmt.Sprintf(`{"type":%q,"data":%s}`, typ, event.Example(typ).Data.AppendJSON(nil)))
	}
	shoot := func(tab *browser.Tab, name string) {
		// The company is busy, and its messages would lie over every page.
		browser.Eval[bool](tab, `(() => { document.getElementById("toasts").style.display = "none"; return true })()`)
		for _, width := range []int64{1280, 360} {
			for _, scheme := range []string{"light", "dark"} {
				require.NoError(
					t,
					os.WriteFile(
						filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)),
						tab.Screenshot(width, scheme),
						0o644,
					),
				)
			}
		}
		tab.SetSize(1280, "light")
	}
	first := browser.NewUser(t).NewTab()
	first.Open(s.URL)
	first.Eventually(testkit.Soon, `document.querySelector("[data-user]")`)
	shoot(first, "sign-in")
	users := map[string]*browser.User{}
	for _, path := range append([]string{"dashboard of hr", "dashboard of yard", "dashboard of admin", "dashboard of employee"}, testkit.Paths...) {
		name, user := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-"), "manager"
		switch path {
		case "/":
			name = "dashboard"
		case "/admin":
			user = "admin"
		case "/employees":
			user = "hr"
		}
		if of, found := strings.CutPrefix(path, "dashboard of "); found {
			path, user, name = "/", of, "dashboard-"+of
		}
		if users[user] == nil {
			users[user] = browser.NewUser(t)
		}
		tab := testkit.Open(s, users[user], user, path)
		tab.Eventually(testkit.Soon, `document.querySelector("main h1") && !document.querySelector("main .skeleton")`)
		if path == "/" && user == "manager" {
			tab.Eventually(testkit.Soon, `document.querySelectorAll("[data-event]").length >= 12`)
		}
		shoot(tab, name)
		if path == "/events" {
			tab.Click(".row-open")
			tab.Eventually(testkit.Soon, `document.querySelector("dialog[open]")`)
			shoot(tab, "drawer")
		}
		if path == "/equipment" {
			tab.Click(`[data-act^="fault-"]`)
			tab.Eventually(testkit.Soon, `document.querySelector("dialog[open] input")`)
			shoot(tab, "form")
		}
		tab.Close()
	}
}
