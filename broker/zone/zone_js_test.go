package zone

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestZonesOfTheEngineEqualTheZoneData compares zones that Load gets from the
// JavaScript engine with those of the zone data.
func TestZonesOfTheEngineEqualTheZoneData(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Pacific/Chatham", "UTC", ""} {
		real, err := time.LoadLocation(name)
		require.NoError(t, err)
		made, err := Load(name)
		require.NoError(t, err)
		now := time.Now()
		for at := now.Add(-300 * 24 * time.Hour); at.Before(now.Add(700 * 24 * time.Hour)); at = at.Add(5 * time.Hour) {
			require.Equal(t, at.In(real).Format("2006-01-02T15:04:05"), at.In(made).Format("2006-01-02T15:04:05"), name)
		}
	}
	_, err := Load("Nowhere/Land")
	require.ErrorContains(t, err, "Nowhere/Land")
}
