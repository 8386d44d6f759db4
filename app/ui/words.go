package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// stateWords are the words and the glyph of each connection state.
var stateWords = map[conn.State]struct{ glyph, words string }{
	conn.Connecting:   {"◌", "Connecting…"},
	conn.Live:         {"●", "Live"},
	conn.Reconnecting: {"◐", "Reconnecting"},
	conn.Offline:      {"○", "You’re offline"},
	conn.Paused:       {"‖", "Paused"},
	conn.Stale:        {"◔", "No data for a while. Checking…"},
	conn.Denied:       {"✕", "Access ended"},
	conn.Disconnected: {"✕", "Disconnected"},
	conn.Limited:      {"◐", "Server is busy"},
	conn.Polling:      {"◒", "Delayed updates"},
}

// Words is what a status is called, without its countdown.
func Words(s conn.Status) string {
	switch {
	case s.State == conn.Denied && s.Code == "forbidden":
		return "You don’t have access. Ask your administrator"
	case s.State == conn.Denied:
		return "Session expired. Sign in again"
	case s.State == conn.Paused && s.Code != "":
		return "Paused in background"
	}
	return stateWords[s.State].words
}

// Countdown is how long until the next attempt, "" where none is planned.
func Countdown(s conn.Status, now time.Time) string {
	if s.RetryAt.IsZero() {
		return ""
	}
	seconds := max(0, int(s.RetryAt.Sub(now).Seconds()+0.999))
	if s.State == conn.Limited {
		return fmt.Sprintf("Retrying in %d s", seconds)
	}
	return fmt.Sprintf("in %d s", seconds)
}

// Describe says in a line what an event is, for feed and history.
func Describe(e event.Event, self bool) string {
	if text, ok := event.ToastText(e, self); ok {
		return text
	}
	o := e.Data
	name := "Equipment #" + o.Text("equipment_id")
	if o.Has("equipment_name") {
		name = o.Text("equipment_name")
	}
	for _, more := range []string{Label(o.Text("movement")), o.Text("location_name")} {
		if more != "" {
			name += " · " + more
		}
	}
	return name
}

// Label turns a name of the vocabulary into words: payment_received, Payment
// received.
func Label(name string) string {
	if name == "hr" {
		return "HR"
	}
	text := strings.ReplaceAll(name, "_", " ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Clock is the time of day of an instant, in the reader's zone.
func Clock(t time.Time) string { return t.Local().Format("15:04:05") }
