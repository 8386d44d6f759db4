package projection

import "time"

// A Zone is the installation's time zone around now: the browser carries no
// zone data. Offsets are seconds east of UTC: Offset from Since to Until,
// Previous before and Next after that. A zero time is far away.
type Zone struct {
	Offset   int       `json:"offset"`
	Since    time.Time `json:"since,omitzero"`
	Previous int       `json:"previous"`
	Until    time.Time `json:"until,omitzero"`
	Next     int       `json:"next"`
}

// ZoneAt reads the zone of a location around now.
func ZoneAt(now time.Time, in *time.Location) Zone {
	local := now.In(in)
	_, offset := local.Zone()
	z := Zone{Offset: offset, Previous: offset, Next: offset}
	since, until := local.ZoneBounds()
	if !since.IsZero() {
		z.Since = since.UTC()
		_, z.Previous = since.Add(-time.Second).Zone()
	}
	if !until.IsZero() {
		z.Until = until.UTC()
		_, z.Next = until.Zone()
	}
	return z
}

// Day is the calendar day of t in the zone, as YYYY-MM-DD.
func (z Zone) Day(t time.Time) string {
	offset := z.Offset
	if !z.Until.IsZero() && !t.Before(z.Until) {
		offset = z.Next
	} else if t.Before(z.Since) {
		offset = z.Previous
	}
	return t.UTC().Add(time.Duration(offset) * time.Second).Format(time.DateOnly)
}
