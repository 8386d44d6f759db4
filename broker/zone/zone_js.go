package zone

import (
	"fmt"
	"strings"
	"syscall/js"
	"time"
)

// A loaded zone is right between rangeBefore before and rangeAfter after the call
// of Load. A program at the edge does not run for longer than that.
const (
	rangeBefore = 370 * 24 * time.Hour
	rangeAfter  = 2 * 370 * 24 * time.Hour
)

// Load returns the time zone with a name such as Europe/Berlin. It asks the Intl
// object of the JavaScript engine. The zone is right for the last year and the
// next two years only. "" and UTC mean UTC.
func Load(name string) (zone *time.Location, err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = fmt.Errorf("unknown time zone %s: %w", name, thrown)
		}
	}()
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	options := map[string]any{"timeZone": name, "timeZoneName": "longOffset"}
	format := js.Global().Get("Intl").Get("DateTimeFormat").New("en-US", options)
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
	return newLocation(name, findPeriods(offset, now.Add(-rangeBefore), now.Add(rangeAfter)))
}

// offsetOf returns the offset of a text such as GMT or GMT+05:30.
func offsetOf(text string) time.Duration {
	at, err := time.Parse("-07:00", strings.TrimPrefix(text, "GMT"))
	if err != nil {
		return 0 // the text is GMT
	}
	_, seconds := at.Zone()
	return time.Duration(seconds) * time.Second
}
