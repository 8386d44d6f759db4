package pages

import (
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// An announcer chooses the texts of the two live regions of the shell. It announces each change once. It does not
// announce that something has gone away, so a region keeps its last words.
type announcer struct {
	state     string            // of the connection, when it was announced last
	toasts    map[string]string // the texts of the toasts of the last call, by key
	polite    region
	assertive region
}

// A region is a live region. It announces one text in two seconds and waits with the others.
type region struct {
	toast.Announcer
	announced string // the text that the region holds
	state     string // waits to be announced; "" for nothing
	toast     string // the newest of the toasts that wait to be announced; "" for none
}

// announce takes the state of the connection and the toasts, oldest first. It returns the texts of the polite and of
// the assertive region.
func (a *announcer) announce(now time.Time, state string, toasts []toast.Toast) [2]string {
	if state != a.state {
		a.state, a.polite.state = state, state
	}
	current := map[string]string{}
	for _, t := range toasts {
		current[t.Key] = t.Text
		if a.toasts[t.Key] == t.Text {
			continue
		}
		if t.Severity == event.Error {
			a.assertive.toast = t.Text
		} else {
			a.polite.toast = t.Text
		}
	}
	a.toasts = current
	return [2]string{a.polite.next(now), a.assertive.next(now)}
}

// next returns the text that the region holds from now on.
func (r *region) next(now time.Time) string {
	words := strings.TrimSpace(r.state + " " + r.toast)
	if words == "" {
		return r.announced
	}
	if words == r.announced {
		words += "\u00a0" // screen readers announce a text only if it differs from the one before
	}
	if r.Say(now, words) == words {
		r.announced, r.state, r.toast = words, "", ""
	}
	return r.announced
}
