// Package waittest waits in tests for a condition that another goroutine or process makes
// true.
//
// It replaces Eventually of testify v1.12.1, which runs the condition in a goroutine that
// may outlive the test, and which may fail without having checked the condition once.
// Tests of pure Go code use testing/synctest instead.
package waittest

import (
	"fmt"
	"time"
)

// T is the part of [testing.TB] that this package needs.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Eventually calls condition every tick until it returns true, and fails the test if it
// does not within the given time. It checks the condition at least once, in the caller's
// goroutine, and for a last time when the time is up. A failure prints the message, which
// is formatted as by [fmt.Sprintf].
func Eventually(t T, condition func() bool, within, tick time.Duration, message ...any) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("the condition is not true within %v%s", within, explanation(message))
			return
		}
		time.Sleep(tick)
	}
}

// explanation returns the message of a failed test, after a colon.
func explanation(message []any) string {
	switch len(message) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(": %v", message[0])
	}
	return ": " + fmt.Sprintf(fmt.Sprint(message[0]), message[1:]...)
}
