package ui

import (
	"slices"
	"time"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// glyphs are the marks of the connection states. They stand beside the words.
var glyphs = map[conn.State]string{
	conn.Connecting:   "◌",
	conn.Live:         "●",
	conn.Reconnecting: "◐",
	conn.Offline:      "○",
	conn.Paused:       "‖",
	conn.Stale:        "◔",
	conn.Denied:       "✕",
	conn.Disconnected: "✕",
	conn.Limited:      "◐",
	conn.Polling:      "◒",
}

// deniedCodes are the codes of [conn.Denied] that have words of their own.
var deniedCodes = []string{problem.CodeForbidden, problem.CodeInvalidToken, string(wire.ByeSignedOut)}

// StatusText returns the words for a connection status, without its countdown.
func StatusText(s conn.Status) string {
	switch {
	case s.State == conn.Denied && slices.Contains(deniedCodes, s.Code):
		return text.Of("state.denied." + s.Code)
	case s.State == conn.Paused && s.Code != "":
		return text.Of("state.paused.background")
	}
	return text.Of("state." + string(s.State))
}

// Countdown returns the time until the next attempt, and "" if none is planned.
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

// Describe returns one line about an event, for feeds and the history. ofUser reports whether the event is about the
// user.
func Describe(e event.Event, ofUser bool) string {
	if line, ok := text.ToastFormat.ToastText(e, ofUser); ok {
		return line
	}
	o := e.Data
	name := text.Of("unit.title", "#"+o.Text("equipment_id"))
	if o.Text("equipment_name") != "" {
		name = o.Text("equipment_name")
	}
	for _, detail := range []string{text.Label(o.Text("movement")), o.Text("location_name")} {
		if detail != "" {
			name += " · " + detail
		}
	}
	return name
}
