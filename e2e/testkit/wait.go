package testkit

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/waittest"
)

// IsFullRun is true when the tests run their long forms, as "make e2e-full" does.
var IsFullRun = os.Getenv("E2E_FULL") != ""

// ForFullRun returns long in a full run, and short otherwise.
func ForFullRun[T any](short, long T) T {
	if IsFullRun {
		return long
	}
	return short
}

// ReconnectTimeout is how long a tab may take to reconnect: the backoff of up to 30 s, and as much again because the
// machine may be busy.
const ReconnectTimeout = time.Minute

// Eventually waits for a condition that JavaScript in a tab cannot check. The description is printed when the test
// fails.
func Eventually(t *testing.T, within time.Duration, description string, condition func() bool) {
	t.Helper()
	waittest.Eventually(t, condition, within, 10*time.Millisecond, description)
}

// SignIn signs a user in with a tab of its own, and closes the tab.
func SignIn(s *stack.Stack, u *browser.User, name string) {
	tab := u.NewTab()
	tab.Open(s.URL + "/healthz")
	browser.Eval[int](
		tab,
		fmt.Sprintf(`fetch("/api/session", {method: "POST", body: '{"user":%q}'}).then(r => r.status)`, name),
	)
	tab.Close()
}
