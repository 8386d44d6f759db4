// Package zone loads time zones by their names. In a program for JavaScript,
// which has no zone data, it asks the JavaScript engine.
package zone

import (
	"encoding/binary"
	"time"
)

// A period is a part of a zone's time with one offset from UTC.
type period struct {
	from   time.Time     // begin of the period; zero for the first one
	offset time.Duration // from UTC
}

// newLocation returns a location with the periods, which must be in order. It
// encodes them as TZif (RFC 8536), because package time accepts a zone's data in
// this format only. Version 2 of the format has times of 64 bits, and a first
// block that may be empty.
func newLocation(name string, periods []period) (*time.Location, error) {
	const abbreviation = "LT\x00" // one name for all periods, because nobody reads it
	header := func(version byte, changes, types, chars uint32) []byte {
		b := append([]byte("TZif"), version)
		b = append(b, make([]byte, 15+4*3)...) // reserved bytes, no indicators, no leap seconds
		for _, n := range []uint32{changes, types, chars} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	data := header('2', 0, 0, 0)
	data = append(data, header('2', uint32(len(periods)-1), uint32(len(periods)), uint32(len(abbreviation)))...)
	for _, p := range periods[1:] {
		data = binary.BigEndian.AppendUint64(data, uint64(p.from.Unix()))
	}
	for i := range periods[1:] {
		data = append(data, byte(i+1))
	}
	for _, p := range periods {
		data = binary.BigEndian.AppendUint32(data, uint32(int32(p.offset/time.Second)))
		data = append(data, 0, 0) // not marked as summer time; the first abbreviation
	}
	data = append(data, abbreviation...)
	return time.LoadLocationFromTZData(name, append(data, "\n\n"...))
}

// findPeriods returns the periods between two times. It calls offset for single
// times and halves the interval in which the offset changes. It may miss a
// period that is shorter than a week.
func findPeriods(offset func(time.Time) time.Duration, from, to time.Time) []period {
	periods := []period{{offset: offset(from)}}
	for at := from; at.Before(to); {
		next := at.Add(7 * 24 * time.Hour)
		last := periods[len(periods)-1].offset
		if offset(next) == last {
			at = next
			continue
		}
		before, after := at, next
		for after.Sub(before) > time.Minute { // offsets change at full minutes
			middle := before.Add(after.Sub(before) / 2).Truncate(time.Minute)
			if middle.Equal(before) {
				break
			}
			if offset(middle) == last {
				before = middle
			} else {
				after = middle
			}
		}
		periods = append(periods, period{after, offset(after)})
		at = after
	}
	return periods
}
