package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/projection"
)

// After the device's clock was ahead, points of the future go, and the trend gets new points.
func TestTrendsDropPointsOfTheFuture(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	var tr trends
	for i, at := range []time.Time{now, now.AddDate(1, 0, 0), now.AddDate(1, 0, 1), now.Add(trendStep),
		now.Add(2 * trendStep), now.Add(3 * trendStep)} {
		tr.add(map[string]projection.Figure{"active_rentals": {Count: i}}, at)
	}
	points := tr.Of["active_rentals"].Points
	for _, p := range points {
		require.False(t, p.At.After(now.Add(3*trendStep)), "%v is of the future", p.At)
	}
	require.Len(t, points, 3)
}
