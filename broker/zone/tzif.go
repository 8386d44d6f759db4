// Package zone loads time zones by their names. Where there are no zone data
// but a JavaScript engine, it asks that.
package zone

import (
	"encoding/binary"
	"time"
)

// A period of a zone begins at a time and has one offset from UTC.
type period struct {
	from   time.Time // zero for the first
	offset time.Duration
}

// location makes a location of periods, in order. Its only way in is TZif
// (RFC 8536); version 2 has times of 64 bits, and a first block that may be
// empty.
func location(name string, periods []period) (*time.Location, error) {
	const abbreviation = "LT\x00" // its own names are nobody's concern
	header := func(version byte, changes, types, chars uint32) []byte {
		b := append([]byte("TZif"), version)
		b = append(b, make([]byte, 15+4*3)...) // reserved; no indicators, no leap seconds
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
		data = append(data, 0, 0) // no summer time by name, the first abbreviation
	}
	data = append(data, abbreviation...)
	return time.LoadLocationFromTZData(name, append(data, "\n\n"...))
}

// periodsOf finds the periods between two times by asking for the offset at
// single ones. No period is shorter than a week.
func periodsOf(offset func(time.Time) time.Duration, from, to time.Time) []period {
	periods := []period{{offset: offset(from)}}
	for at := from; at.Before(to); {
		next := at.Add(7 * 24 * time.Hour)
		last := periods[len(periods)-1].offset
		if offset(next) == last {
			at = next
			continue
		}
		before, after := at, next
		for after.Sub(before) > time.Minute { // changes are at full minutes
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
