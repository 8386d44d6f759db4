package text

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// formatInstant writes an instant in the reader's zone. It uses the browser's formatter of a name, or
// isoLayout if the user wants ISO dates.
func formatInstant(t time.Time, name, isoLayout string, options map[string]any) string {
	mu.Lock()
	isISO := style.ISODates
	mu.Unlock()
	if isISO || !app.IsClient {
		return Local(t).Format(isoLayout)
	}
	f := formatter{"DateTimeFormat", name, options}
	s, _ := f.write(t.UTC().Format(time.RFC3339), formatMillis(t))
	return s
}

// formatMillis returns the call of a DateTimeFormat for an instant.
func formatMillis(t time.Time) func(app.Value) any {
	return func(f app.Value) any { return f.Call("format", float64(t.UnixMilli())) }
}

// Time writes the time of day: 14:02.
func Time(t time.Time) string {
	return formatInstant(t, "time", "15:04", map[string]any{"timeStyle": "short"})
}

// Clock writes the time of day with seconds.
func Clock(t time.Time) string {
	return formatInstant(t, "clock", time.TimeOnly, map[string]any{"timeStyle": "medium"})
}

// DateTime writes the day and the time of day.
func DateTime(t time.Time) string {
	return formatInstant(t, "both", "2006-01-02 15:04", map[string]any{"dateStyle": "medium", "timeStyle": "short"})
}

// Day writes the day of an instant.
func Day(t time.Time) string {
	return formatInstant(t, "day", time.DateOnly, map[string]any{"dateStyle": "medium"})
}

// Date writes a calendar day, which is given as YYYY-MM-DD and has no zone. Text that is no calendar
// day stays as it is.
func Date(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	mu.Lock()
	isISO := style.ISODates
	mu.Unlock()
	if err != nil || isISO || !app.IsClient {
		return day
	}
	f := formatter{"DateTimeFormat", "date", map[string]any{"dateStyle": "medium", "timeZone": "UTC"}}
	s, _ := f.write(day, formatMillis(t))
	return s
}

// When writes the time of day of an instant of today, and day and time of any other.
func When(t, now time.Time) string {
	if Local(t).Format(time.DateOnly) == Local(now).Format(time.DateOnly) {
		return Time(t)
	}
	return DateTime(t)
}

// Relative writes how long ago an instant was, or how long it is until then, in the largest whole unit.
func Relative(t, now time.Time) string {
	d := t.Sub(now)
	n, unit := int(d/time.Second), "second"
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= u.size || d <= -u.size {
			n, unit = int(d/u.size), u.name
			break
		}
	}
	f := formatter{"RelativeTimeFormat", "", map[string]any{"numeric": "auto", "style": "short"}}
	if s, ok := f.write(unit+Number(n), func(f app.Value) any { return f.Call("format", n, unit) }); ok {
		return s
	}
	if n <= 0 {
		return Of("time.ago", Count("time."+unit, -n))
	}
	return Of("time.in", Count("time."+unit, n))
}
