package projection

import "time"

// A Zone is the installation's time zone in the time around now. The broker sends it,
// because the program in the browser has no table of time zones. Offsets are in seconds
// east of UTC.
type Zone struct {
	// Offset applies from Since on, and before Until.
	Offset int `json:"offset"`
	// Since is the time at which Offset began to apply. The zero time means the distant past.
	Since time.Time `json:"since,omitzero"`
	// Previous is the offset before Since.
	Previous int `json:"previous"`
	// Until is the time at which Offset stops applying. The zero time means the distant future.
	Until time.Time `json:"until,omitzero"`
	// Next is the offset from Until on.
	Next int `json:"next"`
}

// ZoneAt returns the zone of a location around now.
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

// Day returns the calendar day of t in the zone, as YYYY-MM-DD. It is exact as long as t
// is not further away than the next change of offset on either side.
func (z Zone) Day(t time.Time) string {
	offset := z.Offset
	if !z.Until.IsZero() && !t.Before(z.Until) {
		offset = z.Next
	} else if t.Before(z.Since) {
		offset = z.Previous
	}
	return t.UTC().Add(time.Duration(offset) * time.Second).Format(time.DateOnly)
}
