package event

import (
	"encoding/json"
	"fmt"
	"time"
)

const maxAheadMinutes = 5

// MaxAhead is the longest time by which the time of a past event may be ahead of the
// broker's clock. An event further ahead would outrank all events until then.
const MaxAhead = maxAheadMinutes * time.Minute

// ahead tells whether a time is too far after the broker's clock.
func (r Rules) ahead(t time.Time) bool { return !r.Now.IsZero() && t.After(r.Now.Add(MaxAhead)) }

// noLater describes the limit of ahead.
func (r Rules) noLater() string {
	return fmt.Sprintf("a time at most %d minutes ahead of the broker's clock, which is at %s",
		maxAheadMinutes, r.Now.UTC().Format(time.RFC3339))
}

// checkMoney refuses amounts with more decimals than their currency has.
func (r Rules) checkMoney(t Type, in, out Object, problem *Problem) {
	currency := r.Currency
	if raw := in.Get("currency"); raw != nil && string(raw) != "null" {
		currency = out.Text("currency") // "" where it was refused
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
			problem.add("/data/"+spec.Name, "limit", fmt.Sprintf("a number with at most %s, as amounts in %s have%s",
				decimalsInWords[most], currency, spec.bounds()))
		}
	}
}

var decimalsInWords = []string{"no decimals", "1 decimal", "2 decimals", "3 decimals"}

// ClampTimes returns e with every past time that is more than MaxAhead after the time
// of its storage brought back to that time. It is for events of logs that accepted
// such times. The zero time bounds nothing.
func (e Event) ClampTimes(stored time.Time) Event {
	rules, bound := Rules{Now: stored}, StampTime(stored)
	if rules.ahead(e.Time) {
		e.Time = bound
	}
	for _, spec := range specs[e.Type] {
		if raw := e.Data.Get(spec.Name); spec.Past && raw != nil && rules.ahead(timeOf(raw)) {
			e.Data = e.Data.With(spec.Name, appendString(nil, bound.Format(time.RFC3339Nano)))
		}
	}
	return e
}

// StampTime returns the replacement of a time that is too far ahead of a clock. It
// has the precision of Stamp, so that an event of the same moment is no older.
func StampTime(now time.Time) time.Time { return now.UTC().Truncate(time.Millisecond) }

// timeOf reads the value of a field that was checked.
func timeOf(raw json.RawMessage) time.Time {
	text, _ := rawString(raw)
	t, _ := time.Parse(time.RFC3339Nano, text)
	return t
}
