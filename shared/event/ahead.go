package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// maxAheadMinutes is MaxAhead in minutes, for texts.
const maxAheadMinutes = 5

// MaxAhead is how far the time of a past event may be ahead of the broker's clock. An
// event that is further ahead would outrank all other events until that time.
const MaxAhead = maxAheadMinutes * time.Minute

// isTooFarAhead reports whether a time is more than MaxAhead after the broker's clock.
func (r Rules) isTooFarAhead(t time.Time) bool {
	return !r.Now.IsZero() && t.After(r.Now.Add(MaxAhead))
}

// describeAheadLimit describes the times for which isTooFarAhead is false.
func (r Rules) describeAheadLimit() string {
	return fmt.Sprintf("a time at most %d minutes ahead of the broker's clock, which is at %s",
		maxAheadMinutes, r.Now.UTC().Format(time.RFC3339))
}

// ClampTimes returns a copy of e in which stored replaces every past time that is more
// than [MaxAhead] after stored. stored is the time at which the log stored the event.
// Older brokers stored events with such times. A zero stored changes nothing.
func (e Event) ClampTimes(stored time.Time) Event {
	rules, bound := Rules{Now: stored}, StampTime(stored)
	if rules.isTooFarAhead(e.Time) {
		e.Time = bound
	}
	for _, spec := range specs[e.Type] {
		if raw := e.Data.Get(spec.Name); spec.Past && raw != nil && rules.isTooFarAhead(timeOf(raw)) {
			e.Data = e.Data.With(spec.Name, appendString(nil, bound.Format(time.RFC3339Nano)))
		}
	}
	return e
}

// StampTime returns now in UTC and in whole milliseconds, as [Event.Stamp] writes it.
// It also replaces times that are too far ahead, so that an event which is stamped at
// the same moment is not older.
func StampTime(now time.Time) time.Time { return now.UTC().Truncate(time.Millisecond) }

// timeOf reads the time of a field that was checked before.
func timeOf(raw json.RawMessage) time.Time {
	text, _ := rawString(raw)
	t, _ := time.Parse(time.RFC3339Nano, text)
	return t
}
