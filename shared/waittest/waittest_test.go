//go:build !js

package waittest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// recorder notes a failure in place of ending the test.
type recorder struct{ failure string }

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) { r.failure = fmt.Sprintf(format, args...) }

func TestEventuallyChecksOnceEvenWithoutTime(t *testing.T) {
	var r recorder
	Eventually(&r, func() bool { return true }, 0, time.Second)
	if r.failure != "" {
		t.Errorf("a condition that is true fails: %s", r.failure)
	}
}

func TestEventuallyFailsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		start := time.Now()
		Eventually(&r, func() bool { return false }, time.Minute, time.Second, "no event %d", 7)
		if took := time.Since(start); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("it waited %v", took)
		}
		if r.failure != "the condition is not true within 1m0s: no event 7" {
			t.Errorf("it says %q", r.failure)
		}
	})
}

func TestEventuallyReturnsWhenTheConditionIsTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		start := time.Now()
		Eventually(&r, func() bool { return time.Since(start) >= 3*time.Second }, time.Minute, time.Second)
		if took := time.Since(start); r.failure != "" || took != 3*time.Second {
			t.Errorf("it returned after %v: %s", took, r.failure)
		}
	})
}
