package pages

import (
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A voice decides what the two live regions hold: each change once, and nothing
// again that was said before. What goes away is no news, so a region keeps its
// last words.
type voice struct {
	state  string            // of the connection, as it was heard of last
	toasts map[string]string // texts that were heard of, by key
	polite region
	urgent region
}

// A region waits with its words: it says one thing in two seconds.
type region struct {
	toast.Announcer
	said          string
	state, toasts string // to be said; of several toasts the newest
}

// say takes how things are and returns what the regions hold.
func (v *voice) say(now time.Time, state string, toasts []toast.Toast) [2]string {
	if state != v.state {
		v.state, v.polite.state = state, state
	}
	heard := map[string]string{}
	for _, t := range toasts { // oldest first
		if heard[t.Key] = t.Text; v.toasts[t.Key] == t.Text {
			continue
		}
		if t.Severity == event.Error {
			v.urgent.toasts = t.Text
		} else {
			v.polite.toasts = t.Text
		}
	}
	v.toasts = heard
	return [2]string{v.polite.next(now), v.urgent.next(now)}
}

func (r *region) next(now time.Time) string {
	words := strings.TrimSpace(r.state + " " + r.toasts)
	if words == "" {
		return r.said
	}
	if words == r.said {
		words += "\u00a0" // the same once more is a change too
	}
	if got := r.Say(now, words); got == words {
		r.said, r.state, r.toasts = words, "", ""
	}
	return r.said
}
