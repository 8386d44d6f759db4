package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

func TestMain(m *testing.M) { browser.Main(m) }

// live is a generous deadline for what should take a second.
const live = 20 * time.Second

// signIn opens a page in a new tab of a user who signs in if need be.
func signIn(t *testing.T, s *stack.Stack, u *browser.User, name, path string) *browser.Tab {
	t.Helper()
	tab := u.NewTab()
	tab.Open(s.URL + path)
	tab.Eventually(live, `document.querySelector("[data-user], [data-status]")`)
	if browser.Eval[bool](tab, `document.querySelector("[data-user]") !== null`) {
		tab.Click(fmt.Sprintf(`[data-user=%q]`, name))
	}
	tab.Eventually(live, `document.querySelector(".header [data-status=live]")`)
	return tab
}

func TestShots(t *testing.T) {
	s := stack.Start(t, "--demo", "--demo-rate", "3")
	u := browser.NewUser(t)
	tab := u.NewTab()
	tab.Open(s.URL + "/")
	tab.Eventually(live, `document.querySelector("[data-user]")`)
	os.WriteFile("/tmp/shot-signin.png", tab.Screenshot(1280, "light"), 0o644)
	tab.Click(`[data-user=manager]`)
	tab.Eventually(live, `document.querySelectorAll("[data-event]").length > 12`)
	os.WriteFile("/tmp/shot-dash.png", tab.Screenshot(1280, "light"), 0o644)
	os.WriteFile("/tmp/shot-dash-dark-360.png", tab.Screenshot(360, "dark"), 0o644)
	tab.Open(s.URL + "/sse-test")
	tab.Eventually(live, `document.querySelector("[data-send]")`)
	tab.Click(`[data-send=payment_received]`)
	tab.Eventually(live, `document.querySelector("[data-toast]")`)
	os.WriteFile("/tmp/shot-test.png", tab.Screenshot(1280, "light"), 0o644)
	t.Log(tab.Problems())
}
