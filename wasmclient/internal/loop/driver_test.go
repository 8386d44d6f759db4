package loop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestJumped: a page that is hidden has its timers slowed down to one a minute;
// a machine that slept does not.
func TestJumped(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	require.False(t, jumped(at, at.Add(clockEvery)))
	require.False(t, jumped(at, at.Add(time.Minute+clockEvery)))
	require.True(t, jumped(at, at.Add(2*time.Minute)))
	require.False(t, jumped(at, at.Add(-time.Hour)), "somebody set the clock back")
}
