package live

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/snd-rental/yardline/shared/projection"
)

// A Trend is the history of a figure, as far as this browser has seen it.
type Trend struct {
	Points []Point `json:"points"` // oldest first
}

// A Point is the value of a figure at a time.
type Point struct {
	At    time.Time         `json:"at"`
	Value projection.Figure `json:"value"`
}

const (
	trendsKey      = "trends"
	trendDuration  = 12 * time.Hour // a working day
	trendStep      = time.Minute    // least time between two points
	maxTrendPoints = 60             // of one figure
	trendSavePause = time.Minute    // least time between two writes to the storage
)

// trends are the trends of all figures of one grant. Live.mu guards them.
type trends struct {
	Grant string           `json:"grant"`
	Of    map[string]Trend `json:"of"`

	savedAt time.Time
	isDirty bool
}

// add adds the present figures. Within a step, it replaces the last point. A figure that has not
// changed needs no new point.
func (t *trends) add(figures map[string]projection.Figure, now time.Time) {
	for key, value := range figures {
		points := t.Of[key].Points
		for len(points) > 0 && now.Sub(points[0].At) > trendDuration {
			points = points[1:]
		}
		for n := len(points); n > 0 && points[n-1].At.After(now); n-- {
			points = points[:n-1] // the device's clock was ahead
		}
		n := len(points)
		switch {
		case n > 0 && points[n-1].Value.String() == value.String():
			continue
		case n > 1 && now.Sub(points[n-1].At) < trendStep:
			points = append(append([]Point{}, points[:n-1]...), Point{points[n-1].At, value})
		default:
			points = append(append([]Point{}, points[max(0, n-maxTrendPoints+1):]...), Point{now, value})
		}
		if t.Of == nil {
			t.Of = map[string]Trend{}
		}
		t.Of[key] = Trend{points}
		t.isDirty = true
	}
}

// clone returns a copy for the pages, which does not change later.
func (t *trends) clone() map[string]Trend {
	if t.Of == nil {
		return map[string]Trend{}
	}
	return maps.Clone(t.Of)
}

// updateTrendsLocked adds the figures of a live connection, and stores the trends. The caller must
// hold l.mu.
func (l *Live) updateTrendsLocked(figures map[string]projection.Figure, now time.Time) {
	if l.session.Grant != l.trends.Grant {
		l.trends = trends{Grant: l.session.Grant}
	}
	l.trends.add(figures, now)
	if !l.trends.isDirty || now.Sub(l.trends.savedAt) < trendSavePause {
		return
	}
	l.trends.isDirty, l.trends.savedAt = false, now
	raw, err := json.Marshal(&l.trends)
	if err != nil {
		panic(err) // our own types
	}
	clientCtx := l.clientCtx
	go func() {
		l.replacing.Lock() // Otherwise a sign-out in between would leave data of the signed-out user.
		defer l.replacing.Unlock()
		if clientCtx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
		defer cancel()
		_ = l.env.Storage.Save(ctx, trendsKey, raw) // the client reports a storage that fails
	}()
}

// loadTrends loads the stored trends of the grant.
func (l *Live) loadTrends(grant string) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
	defer cancel()
	values, err := l.env.Storage.Load(ctx, trendsKey)
	var stored trends
	if err != nil || json.Unmarshal(values[trendsKey], &stored) != nil || stored.Grant != grant {
		stored = trends{Grant: grant}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trends = stored
}
