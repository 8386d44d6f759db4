package testkit

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// full tells whether the long matrices run whole: make e2e-full.
var IsFullRun = os.Getenv("E2E_FULL") != ""

// whole is the long form of a number in the full run, else the short one.
func ForFullRun[T any](short, long T) T {
	if IsFullRun {
		return long
	}
	return short
}

// patience is how long a tab may take to be back: a backoff of up to 30 s, and
// what comes after it on a machine that is busy.
const ReconnectTimeout = time.Minute

// eventually waits for what only Go can ask.
func Eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(within), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// signIn signs a user in by a tab that is then empty.
func SignIn(s *stack.Stack, u *browser.User, name string) {
	tab := u.NewTab()
	tab.Open(s.URL + "/healthz")
	browser.Eval[int](tab, fmt.Sprintf(`fetch("/api/session", {method: "POST", body: '{"user":%q}'}).then(r => r.status)`, name))
	tab.Close()
}
