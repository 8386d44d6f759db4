package zone

import (
	"fmt"
	"strings"
	"syscall/js"
	"time"
)

// How far from now a zone is known: what an installation's today needs, for
// longer than a program lives at the edge.
const (
	before = 370 * 24 * time.Hour
	after  = 2 * 370 * 24 * time.Hour
)

// Load returns the zone of a name such as Europe/Berlin, as the engine's Intl
// has it. It is true for the years around now alone.
func Load(name string) (zone *time.Location, err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = fmt.Errorf("unknown time zone %s: %w", name, thrown)
		}
	}()
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	format := js.Global().Get("Intl").Get("DateTimeFormat").New("en-US", map[string]any{"timeZone": name, "timeZoneName": "longOffset"})
	offset := func(at time.Time) time.Duration {
		parts := format.Call("formatToParts", float64(at.UnixMilli()))
		for i := range parts.Length() {
			if part := parts.Index(i); part.Get("type").String() == "timeZoneName" {
				return offsetOf(part.Get("value").String())
			}
		}
		return 0
	}
	now := time.Now().Truncate(time.Minute)
	return location(name, periodsOf(offset, now.Add(-before), now.Add(after)))
}

// offsetOf reads GMT, GMT+05:30 and the like.
func offsetOf(text string) time.Duration {
	at, err := time.Parse("-07:00", strings.TrimPrefix(text, "GMT"))
	if err != nil {
		return 0 // GMT alone
	}
	_, seconds := at.Zone()
	return time.Duration(seconds) * time.Second
}
