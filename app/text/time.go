package text

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// moment writes an instant in the reader's zone.
func moment(t time.Time, name, iso string, options map[string]any) string {
	mu.Lock()
	plain := style.ISODates
	mu.Unlock()
	if plain || !app.IsClient {
		return Local(t).Format(iso)
	}
	s, _ := intl("DateTimeFormat", name, func(f app.Value) any { return f.Call("format", float64(t.UnixMilli())) }, t.UTC().Format(time.RFC3339), options)
	return s
}

// Time is the time of day, 14:02.
func Time(t time.Time) string {
	return moment(t, "time", "15:04", map[string]any{"timeStyle": "short"})
}

// Clock is the time of day with seconds.
func Clock(t time.Time) string {
	return moment(t, "clock", time.TimeOnly, map[string]any{"timeStyle": "medium"})
}

// DateTime is day and time.
func DateTime(t time.Time) string {
	return moment(t, "both", "2006-01-02 15:04", map[string]any{"dateStyle": "medium", "timeStyle": "short"})
}

// Day is the day of an instant.
func Day(t time.Time) string {
	return moment(t, "day", time.DateOnly, map[string]any{"dateStyle": "medium"})
}

// Date writes a calendar day, YYYY-MM-DD, which is of no zone, so the browser writes it by UTC. Text that is no
// calendar day stays as it is.
func Date(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	mu.Lock()
	plain := style.ISODates
	mu.Unlock()
	if err != nil || plain || !app.IsClient {
		return day
	}
	s, _ := intl("DateTimeFormat", "date", func(f app.Value) any { return f.Call("format", float64(t.UnixMilli())) }, day, map[string]any{"dateStyle": "medium", "timeZone": "UTC"})
	return s
}

// When is the time of an instant today, and day and time of any other.
func When(t, now time.Time) string {
	if Local(t).Format(time.DateOnly) == Local(now).Format(time.DateOnly) {
		return Time(t)
	}
	return DateTime(t)
}

// Relative is how long ago an instant was, or how far it is off, in the largest
// whole unit.
func Relative(t, now time.Time) string {
	d := t.Sub(now)
	n, unit := int(d/time.Second), "second"
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= u.of || d <= -u.of {
			n, unit = int(d/u.of), u.name
			break
		}
	}
	if s, ok := intl("RelativeTimeFormat", "", func(f app.Value) any { return f.Call("format", n, unit) }, unit+Number(n), map[string]any{"numeric": "auto", "style": "short"}); ok {
		return s
	}
	if n <= 0 {
		return Of("time.ago", Count("time."+unit, -n))
	}
	return Of("time.in", Count("time."+unit, n))
}
