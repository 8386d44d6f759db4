package zone

import (
	"testing"
	"time"
	_ "time/tzdata" // some machines have no zone data

	"github.com/stretchr/testify/require"
)

// TestZoneFromOffsetsEqualsTheOriginal makes zones from the offsets of real zones,
// and compares both on each side of every change.
func TestZoneFromOffsetsEqualsTheOriginal(t *testing.T) {
	from, to := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, changes := range map[string]int{
		"Europe/Berlin":       6,
		"America/New_York":    6,
		"Australia/Lord_Howe": 6,
		"Asia/Kolkata":        0,
		"Africa/Casablanca":   6,
		"UTC":                 0,
	} {
		real, err := time.LoadLocation(name)
		require.NoError(t, err)
		periods := findPeriods(func(at time.Time) time.Duration {
			_, seconds := at.In(real).Zone()
			return time.Duration(seconds) * time.Second
		}, from, to)
		require.Len(t, periods, changes+1, name)
		made, err := newLocation(name, periods)
		require.NoError(t, err)
		same := func(at time.Time) {
			require.Equal(t, at.In(real).Format("2006-01-02T15:04:05"), at.In(made).Format("2006-01-02T15:04:05"), name)
		}
		for at := from; at.Before(to); at = at.Add(7 * time.Hour) {
			same(at)
		}
		for _, p := range periods[1:] {
			same(p.from)
			same(p.from.Add(-time.Second))
		}
	}
}
