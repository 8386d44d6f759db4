package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// gone takes a feature away.
func DeleteScript(owner, name string) string { return fmt.Sprintf(`delete %s[%q];`, owner, name) }

// soon is a generous deadline for what should take a second.
const Soon = 30 * time.Second

const IsLive = `document.querySelector(".header [data-status=live]")`

// open opens a page in a new tab of a user, who signs in if need be.
func Open(s *stack.Stack, u *browser.User, name, path string) *browser.Tab {
	tab := u.NewTab()
	tab.Open(s.URL + path)
	tab.Eventually(Soon, `document.querySelector("[data-user], .header [data-status]")`)
	if browser.Eval[bool](tab, `document.querySelector("[data-user]") !== null`) {
		tab.Click(fmt.Sprintf(`[data-user=%q]`, name))
	}
	tab.Eventually(Soon, IsLive)
	return tab
}

// shows waits until a tab's feed or history has an event.
func Shows(tab *browser.Tab, id string) {
	tab.Eventually(Soon, fmt.Sprintf(`document.querySelector('[data-event=%q]')`, id))
}

// unfold shows the payload beside the form.
func UnfoldForm(tab *browser.Tab) {
	browser.Eval[bool](tab, `document.querySelector("details:has(#payload)").open = true`)
}

func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func Context(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return c
}

// appPages are the app's pages, each with something to show after a while of the
// demo company, or of the example of each type.
var Paths = []string{"/", "/events", "/rentals", "/rentals/123", "/equipment", "/equipment/7", "/employees", "/customers", "/notifications", "/outbox", "/sse-test", "/admin", "/settings"}
