package ui

import (
	"time"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// glyphs are the marks of the connection states, beside their words.
var glyphs = map[conn.State]string{
	conn.Connecting: "◌", conn.Live: "●", conn.Reconnecting: "◐", conn.Offline: "○", conn.Paused: "‖", conn.Stale: "◔",
	conn.Denied: "✕", conn.Disconnected: "✕", conn.Limited: "◐", conn.Polling: "◒",
}

// Words is what a status is called, without its countdown.
func Words(s conn.Status) string {
	switch {
	case s.State == conn.Denied && (s.Code == "forbidden" || s.Code == "invalid_token" || s.Code == "signed_out"):
		return text.Of("state.denied." + s.Code)
	case s.State == conn.Paused && s.Code != "":
		return text.Of("state.paused.background")
	}
	return text.Of("state." + string(s.State))
}

// Countdown is how long until the next attempt, "" where none is planned.
func Countdown(s conn.Status, now time.Time) string {
	if s.RetryAt.IsZero() {
		return ""
	}
	seconds := text.Number(max(0, int(s.RetryAt.Sub(now).Seconds()+0.999)))
	if s.State == conn.Limited {
		return text.Of("countdown.limited", seconds)
	}
	return text.Of("countdown", seconds)
}

// Describe says in a line what an event is, for feed and history.
func Describe(e event.Event, self bool) string {
	if line, ok := text.Format.ToastText(e, self); ok {
		return line
	}
	o := e.Data
	name := text.Of("unit.title", "#"+o.Text("equipment_id"))
	if o.Text("equipment_name") != "" {
		name = o.Text("equipment_name")
	}
	for _, more := range []string{text.Label(o.Text("movement")), o.Text("location_name")} {
		if more != "" {
			name += " · " + more
		}
	}
	return name
}
