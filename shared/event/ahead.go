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

// checkMoney refuses amounts with more decimals than their currency has.
func (r Rules) checkMoney(t Type, in, out Object, problem *Problem) {
	currency := r.Currency
	if raw := in.Get("currency"); raw != nil && string(raw) != "null" {
		currency = out.Text("currency") // "" when it was refused
	}
	if currency == "" {
		return
	}
	most := Decimals(currency)
	for _, spec := range specs[t] {
		if spec.Kind != KindMoney {
			continue
		}
		if m, ok := out.Money(spec.Name); ok && m.Decimals() > most {
			problem.add("/data/"+spec.Name, CodeLimit, fmt.Sprintf("a number with at most %s, as amounts in %s have%s",
				decimalsInWords[most], currency, spec.bounds()))
		}
	}
}

var decimalsInWords = []string{"no decimals", "1 decimal", "2 decimals", "3 decimals"}

// ClampTimes returns e with every past time that is more than [MaxAhead] after stored
// replaced by stored. stored is when the log stored the event; older brokers stored
// events with such times. A zero stored changes nothing.
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
