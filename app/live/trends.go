package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/snd-rental/yardline/shared/projection"
)

// A Trend is the course of a figure, as this browser has seen it.
type Trend struct {
	Points []Point `json:"points"` // oldest first
}

// A Point is a figure at a time.
type Point struct {
	At    time.Time         `json:"at"`
	Value projection.Figure `json:"value"`
}

const (
	trendsKey  = "trends"
	trendOf    = 12 * time.Hour // a working day
	trendStep  = time.Minute    // between two points, unless the figure stands
	trendMax   = 60             // points of a figure
	trendsSave = time.Minute
)

// trends are the courses of all figures of one grant. Live's lock guards it.
type trends struct {
	Grant string           `json:"grant"`
	Of    map[string]Trend `json:"of"`

	saved time.Time
	dirty bool
}

// note takes the figures of now. Within a step the last point moves; a figure
// that does not change needs no more points.
func (t *trends) note(figures map[string]projection.Figure, now time.Time) {
	for key, value := range figures {
		points := t.Of[key].Points
		for len(points) > 0 && now.Sub(points[0].At) > trendOf {
			points = points[1:]
		}
		for n := len(points); n > 0 && points[n-1].At.After(now); n-- {
			points = points[:n-1] // the clock was ahead
		}
		n := len(points)
		switch {
		case n > 0 && points[n-1].Value.String() == value.String():
			continue
		case n > 1 && now.Sub(points[n-1].At) < trendStep:
			points = append(append([]Point{}, points[:n-1]...), Point{points[n-1].At, value})
		default:
			points = append(append([]Point{}, points[max(0, n-trendMax+1):]...), Point{now, value})
		}
		if t.Of == nil {
			t.Of = map[string]Trend{}
		}
		t.Of[key] = Trend{points}
		t.dirty = true
	}
}

// copyOf is what pages are given: it is not changed later.
func (t *trends) copyOf() map[string]Trend {
	out := make(map[string]Trend, len(t.Of))
	for key, trend := range t.Of {
		out[key] = trend
	}
	return out
}

// noteTrendsLocked takes the figures of a connection that is live, and keeps
// their courses over reloads.
func (l *Live) noteTrendsLocked(figures map[string]projection.Figure, now time.Time) {
	if l.session.Grant != l.trends.Grant {
		l.trends = trends{Grant: l.session.Grant}
	}
	l.trends.note(figures, now)
	if !l.trends.dirty || now.Sub(l.trends.saved) < trendsSave {
		return
	}
	l.trends.dirty, l.trends.saved = false, now
	raw, err := json.Marshal(&l.trends)
	if err != nil {
		panic(err) // our own types
	}
	connection := l.running
	go func() {
		l.turn.Lock() // no sign-out in between: nothing is kept of who has left
		defer l.turn.Unlock()
		if connection.Err() != nil {
			return
		}
		ctx, done := context.WithTimeout(context.Background(), storageTime)
		defer done()
		_ = l.in.Storage.Save(ctx, trendsKey, raw) // an ornament: the client says where nothing can be kept
	}()
}

// loadTrends takes the courses of an earlier visit of the same user.
func (l *Live) loadTrends(grant string) {
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	values, err := l.in.Storage.Load(ctx, trendsKey)
	var kept trends
	if err != nil || json.Unmarshal(values[trendsKey], &kept) != nil || kept.Grant != grant {
		kept = trends{Grant: grant}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trends = kept
}
