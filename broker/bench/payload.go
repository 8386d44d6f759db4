package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A marker writes the payloads of a run and finds them in streams. A payload begins with
// a mark, "bench-1f2e3d4c:17:1764600000000000000:", which has the run, the event's number
// and the time at which it was sent in nanoseconds. It needs no escapes in JSON and URLs.
type marker struct {
	prefix  []byte // the begin of a mark up to its first colon
	padding string // follows the mark, up to the wanted length
	length  int    // the wanted length of a payload, in bytes
}

// newMarker returns the marker of a new run, whose payloads have the given length.
func newMarker(length int) *marker {
	padding := strings.Repeat("abcdefghij klmnopqrs ", length/21+1)[:length]
	return &marker{prefix: fmt.Appendf(nil, "bench-%08x:", rand.Uint32()), padding: padding, length: length}
}

// append appends the payload of an event that is sent now.
func (m *marker) append(to []byte, number int, now time.Time) []byte {
	start := len(to)
	to = append(to, m.prefix...)
	to = strconv.AppendInt(to, int64(number), 10)
	to = append(to, ':')
	to = strconv.AppendInt(to, now.UnixNano(), 10)
	to = append(to, ':')
	return append(to, m.padding[:max(m.length-(len(to)-start), 0)]...)
}

// find calls found for each mark in b, which is a part of a stream. It returns the end of
// b that may be the begin of a mark: the caller must prepend it to the next part.
func (m *marker) find(b []byte, found func(number int, sent int64)) (rest []byte) {
	for {
		at := bytes.Index(b, m.prefix)
		if at < 0 {
			rest = b[max(0, len(b)-len(m.prefix)+1):]
			for !bytes.HasPrefix(m.prefix, rest) {
				rest = rest[1:]
			}
			return rest
		}
		number, after, state := cutNumber(b[at+len(m.prefix):])
		var sent int64
		if state == wholeNumber {
			sent, after, state = cutNumber(after)
		}
		switch state {
		case wholeNumber:
			found(int(number), sent)
			b = after
		case cutOff:
			return b[at:]
		case noNumber:
			b = b[at+1:]
		}
	}
}

// numberState says what cutNumber has found.
type numberState uint8

const (
	noNumber    numberState = iota
	cutOff                  // the text ends before the colon
	wholeNumber             // a number and a colon
)

// cutNumber returns the decimal number at the begin of b and what follows the colon
// behind it.
func cutNumber(b []byte) (number int64, after []byte, state numberState) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			number = 10*number + int64(c-'0')
		case c == ':' && i > 0:
			return number, b[i+1:], wholeNumber
		default:
			return 0, nil, noNumber
		}
	}
	return 0, nil, cutOff
}

// A template writes the bodies of requests that publish.
type template struct {
	parts   []string // what is written as it is, around the places
	places  []string // "payload" or "seq": places[i] follows parts[i]
	isBatch bool     // a body is a JSON array
}

// parseTemplate reads a template, whose places are {{payload}} and {{seq}}.
func parseTemplate(text string, isBatch bool) (template, error) {
	t := template{isBatch: isBatch}
	for {
		before, rest, found := strings.Cut(text, "{{")
		t.parts = append(t.parts, before)
		if !found {
			return t, nil
		}
		place, rest, closed := strings.Cut(rest, "}}")
		if !closed || place != "payload" && place != "seq" {
			return t, &ConfigError{"the body has {{" + place + ", and only {{payload}} and {{seq}} are known"}
		}
		t.places = append(t.places, place)
		text = rest
	}
}

// append appends the body with the events from first on.
func (t template) append(to []byte, m *marker, first, count int, now time.Time) []byte {
	if !t.isBatch {
		return t.appendEvent(to, m, first, now)
	}
	to = append(to, '[')
	for i := range count {
		if i > 0 {
			to = append(to, ',')
		}
		to = t.appendEvent(to, m, first+i, now)
	}
	return append(to, ']')
}

// appendEvent appends one event.
func (t template) appendEvent(to []byte, m *marker, number int, now time.Time) []byte {
	for i, part := range t.parts {
		to = append(to, part...)
		if i == len(t.places) {
			break
		}
		if t.places[i] == "seq" {
			to = strconv.AppendInt(to, int64(number), 10)
		} else {
			to = m.append(to, number, now)
		}
	}
	return to
}
