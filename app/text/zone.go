package text

import (
	"sync"
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// Local returns an instant in the reader's zone, with the offset that holds at that instant. Go's
// local zone would be wrong: in a browser it has one offset for all times, that of the program's start.
func Local(t time.Time) time.Time {
	if !app.IsClient {
		return t.Local()
	}
	return t.In(zones.at(t.Unix() / quarterHour))
}

// quarterHour is in seconds. All zones change their offset at a quarter of an hour.
const quarterHour = 15 * 60

// zones remembers the reader's offsets, because a page writes hundreds of times in a frame, and each
// call of the browser leaves values for the garbage collector.
var zones = offsets{of: map[int64]*time.Location{}}

// offsets holds zones by quarter hours since 1970. It is safe for concurrent use.
type offsets struct {
	mu sync.Mutex               // guards of
	of map[int64]*time.Location // zones by quarter hour
}

// maxOffsets bounds the map of offsets. The map begins anew beyond it.
const maxOffsets = 4096

// at returns the zone that holds in a quarter hour.
func (o *offsets) at(quarter int64) *time.Location {
	o.mu.Lock()
	defer o.mu.Unlock()
	zone := o.of[quarter]
	if zone == nil {
		date := app.Window().Get("Date").New(float64(quarter * quarterHour * 1000))
		zone = time.FixedZone("", -date.Call("getTimezoneOffset").Int()*60) // the browser counts minutes to the west
		if len(o.of) >= maxOffsets {
			clear(o.of)
		}
		o.of[quarter] = zone
	}
	return zone
}

// ParseLocal parses a date and time of the reader's zone. For a time that the reader's
// clocks skip, it uses the offset before the change.
func ParseLocal(layout, value string) (time.Time, error) {
	t, err := time.Parse(layout, value)
	if err != nil {
		return t, err
	}
	return FromLocal(t), nil
}

// FromLocal returns the instant at which the reader's clocks show the date and time that t shows in
// its own zone.
func FromLocal(t time.Time) time.Time {
	if !app.IsClient {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
	}
	date := app.Window().Get("Date").New(t.Year(), int(t.Month())-1, t.Day(), t.Hour(), t.Minute(), t.Second())
	return time.UnixMilli(int64(date.Call("getTime").Float()))
}
