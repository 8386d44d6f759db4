package text

import (
	"time"

	"github.com/maxence-charriere/go-app/v10/pkg/app"
)

// Local returns an instant in the reader's zone, with the offset that holds at that very instant. Go's local zone does
// not do: in a browser it has one offset for all times, the one of the program's start.
func Local(t time.Time) time.Time {
	if !app.IsClient {
		return t.Local()
	}
	west := app.Window().Get("Date").New(float64(t.UnixMilli())).Call("getTimezoneOffset").Int() // minutes
	return t.In(time.FixedZone("", -west*60))
}

// ParseLocal reads a date and time of the reader's zone. A time that their clocks skip counts on from the one before.
func ParseLocal(layout, value string) (time.Time, error) {
	t, err := time.Parse(layout, value)
	if err != nil {
		return t, err
	}
	return FromLocal(t), nil
}

// FromLocal returns the instant at which the reader's clocks show the date and time that t shows in its own zone.
func FromLocal(t time.Time) time.Time {
	if !app.IsClient {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
	}
	date := app.Window().Get("Date").New(t.Year(), int(t.Month())-1, t.Day(), t.Hour(), t.Minute(), t.Second())
	return time.UnixMilli(int64(date.Call("getTime").Float()))
}
