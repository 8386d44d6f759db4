package loop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A browser slows the timers of a hidden page down to one a minute. That is no sleep of the computer.
func TestSlowTimersOfAHiddenPageAreNoSleep(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	require.False(t, hasSlept(at, at.Add(clockInterval)))
	require.False(t, hasSlept(at, at.Add(time.Minute+clockInterval)))
	require.True(t, hasSlept(at, at.Add(2*time.Minute)))
	require.False(t, hasSlept(at, at.Add(-time.Hour)), "somebody set the clock back")
}
