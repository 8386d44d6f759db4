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

// DeleteScript returns JavaScript that deletes a feature of the browser, such as "locks" of "Navigator.prototype".
func DeleteScript(owner, name string) string { return fmt.Sprintf(`delete %s[%q];`, owner, name) }

// Soon is a generous deadline for steps that should take a second.
const Soon = 30 * time.Second

// IsLive is JavaScript that is true when the page shows that its connection is live.
const IsLive = `document.querySelector(".header [data-status=live]")`

// Open opens a page in a new tab and waits until it is live. It signs in the demo user with this name if no user is
// signed in.
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

// Shows waits until the page shows the event with this id, in its feed or its history.
func Shows(tab *browser.Tab, id string) {
	tab.Eventually(Soon, fmt.Sprintf(`document.querySelector('[data-event=%q]')`, id))
}

// UnfoldForm opens the part of /sse-test that shows the payload.
func UnfoldForm(tab *browser.Tab) {
	browser.Eval[bool](tab, `document.querySelector("details:has(#payload)").open = true`)
}

// JSON returns a value as JSON. It panics if the value cannot be encoded.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Context returns a context that ends with the test, at the latest after two minutes.
func Context(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return c
}

// Paths are the paths of the app's pages. Each page has something to show after the example of each event type, or
// after some minutes of the demo company.
var Paths = []string{
	"/", "/events", "/rentals", "/rentals/123", "/equipment", "/equipment/7", "/employees", "/customers",
	"/notifications", "/outbox", "/sse-test", "/admin", "/settings",
}
