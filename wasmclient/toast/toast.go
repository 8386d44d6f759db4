// Package toast holds the rules for brief messages: which are shown, for how
// long, and what stands for many. It is pure: the caller gives the time and
// asks again at Next.
package toast

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// A Toast is one message.
type Toast struct {
	Key      string // tells toasts apart; two publishers may use one id
	ID       string // the event's, or "summary"
	Severity event.Severity
	Type     event.Type
	Subject  string
	Text     string
	URL      string    // where its action leads, a path of this origin; "": none
	Action   string    // what that is called
	Until    time.Time // it goes then; zero: it stays until dismissed

	updated time.Time
	count   int // of events that a summary stands for
}

// Limits and times, by the docs.
const (
	maxVisible  = 3
	maxQueue    = 20
	inPlace     = 3 * time.Second // the same type and subject is updated
	floodWithin = 2 * time.Second
	floodOver   = 5 // of one type
	summaryID   = "summary"
)

var lifetimes = map[event.Severity]time.Duration{
	event.Info: 5 * time.Second, event.Success: 5 * time.Second, event.Warning: 8 * time.Second, event.Error: 0, // stays
}

// withAction is how long a toast stays that offers something to do.
const withAction = 10 * time.Second

// A Queue is what is shown and what waits. The zero Queue is empty. It is not
// safe for concurrent use.
type Queue struct {
	visible  []Toast // oldest first
	waiting  []Toast
	dropped  int
	arrivals map[event.Type][]time.Time
	seen     []string  // keys, newest last
	held     time.Time // the clock stands since then; zero: it runs
	muted    []event.Type
	format   event.ToastFormat
	max      int     // visible at once; 0: maxVisible
	scale    float64 // of lifetimes; 0: 1
}

// Never as a scale lets toasts stay until they are dismissed.
const Never = -1

// SetScale makes toasts live longer, as the user wants: 1, 2, or Never. Those
// that are shown keep their time.
func (q *Queue) SetScale(scale float64) { q.scale = scale }

// SetFormat says how money and dates are written.
func (q *Queue) SetFormat(f event.ToastFormat) { q.format = f }

// Mute lets these types make no toast.
func (q *Queue) Mute(types []event.Type) { q.muted = types }

// SetMax bounds how many are visible at once, as the screen allows.
func (q *Queue) SetMax(now time.Time, max int) {
	q.max = max
	if surplus := len(q.visible) - q.most(); surplus > 0 { // the newest wait again
		at := len(q.visible) - surplus
		q.waiting = slices.Concat(q.visible[at:], q.waiting)
		q.visible = slices.Clone(q.visible[:at])
	}
	q.fill(now)
}

// Hold stops the clock: the page is hidden, or the pointer or the focus is on a
// toast. Release lets it go on with what was left.
func (q *Queue) Hold(now time.Time) {
	if q.held.IsZero() {
		q.held = now
	}
}

// Release ends Hold.
func (q *Queue) Release(now time.Time) {
	if q.held.IsZero() {
		return
	}
	for i, t := range q.visible {
		if !t.Until.IsZero() {
			q.visible[i].Until = t.Until.Add(now.Sub(q.held))
		}
	}
	q.held = time.Time{}
}

// Away puts one toast in place of n events that came while nobody looked.
func (q *Queue) Away(now time.Time, n int) {
	text := "One event while you were away"
	if n != 1 {
		text = fmt.Sprintf("%d events while you were away", n)
	}
	t := Toast{Key: awayKey, ID: summaryID, Severity: event.Info, Text: text, updated: now}
	q.visible = slices.DeleteFunc(q.visible, func(old Toast) bool { return old.Key == awayKey })
	q.put(now, t)
}

const awayKey = "away"

// Add takes an event that is news to the reader. self tells that it is about
// them in person.
func (q *Queue) Add(now time.Time, e event.Event, self bool) {
	text, ok := q.format.ToastText(e, self)
	key := e.Cursor + " " + e.ID
	if !ok || slices.Contains(q.muted, e.Type) || slices.Contains(q.seen, key) {
		return
	}
	if q.seen = append(q.seen, key); len(q.seen) > 10*maxQueue {
		q.seen = slices.Clone(q.seen[maxQueue:])
	}
	t := Toast{Key: key, ID: e.ID, Severity: e.Severity, Type: e.Type, Subject: e.Subject, Text: text, updated: now}
	if url := e.Data.Text("action_url"); url != "" {
		t.URL, t.Action = url, cmp.Or(e.Data.Text("action_label"), "Open")
	}
	if n := q.rate(now, e.Type); n > floodOver {
		q.summarise(now, t, n)
		return
	}
	q.put(now, t)
}

// rate counts the arrivals of a type within the last two seconds.
func (q *Queue) rate(now time.Time, t event.Type) int {
	if q.arrivals == nil {
		q.arrivals = map[event.Type][]time.Time{}
	}
	recent := slices.DeleteFunc(q.arrivals[t], func(at time.Time) bool { return now.Sub(at) > floodWithin })
	q.arrivals[t] = append(recent, now)
	return len(q.arrivals[t])
}

// put shows a toast, in the place of one about the same thing, or lets it wait.
func (q *Queue) put(now time.Time, t Toast) {
	same := func(old Toast) bool {
		return old.ID != summaryID && old.Type == t.Type && old.Subject == t.Subject && now.Sub(old.updated) <= inPlace
	}
	for _, list := range []*[]Toast{&q.visible, &q.waiting} {
		if i := slices.IndexFunc(*list, same); i >= 0 {
			(*list)[i] = q.shown(now, t)
			return
		}
	}
	if len(q.visible) < q.most() && len(q.waiting) == 0 {
		q.visible = append(q.visible, q.shown(now, t))
		return
	}
	if len(q.waiting) == maxQueue {
		q.dropped++
		return
	}
	q.waiting = append(q.waiting, t)
}

// summarise puts one toast in place of all of a type.
func (q *Queue) summarise(now time.Time, t Toast, n int) {
	of := func(old Toast) bool { return old.Type == t.Type }
	for _, old := range slices.Concat(q.visible, q.waiting) {
		if of(old) && old.ID == summaryID {
			n = max(n, old.count+1)
		}
	}
	q.visible = slices.DeleteFunc(q.visible, of)
	q.waiting = slices.DeleteFunc(q.waiting, of)
	t.Key, t.ID, t.Subject, t.count = summaryID+string(t.Type), summaryID, "", n
	t.Text = fmt.Sprintf("%d × %s", n, strings.ReplaceAll(string(t.Type), "_", " "))
	q.put(now, t)
	q.fill(now)
}

func (q *Queue) most() int { return cmp.Or(q.max, maxVisible) }

// shown gives a toast its time. While the clock stands that counts from when it
// goes on.
func (q *Queue) shown(now time.Time, t Toast) Toast {
	if !q.held.IsZero() {
		now = q.held
	}
	life := lifetimes[t.Severity]
	if t.URL != "" && life > 0 {
		life = withAction
	}
	if life > 0 && q.scale != Never {
		t.Until = now.Add(time.Duration(float64(life) * cmp.Or(q.scale, 1)))
	}
	return t
}

// Dismiss removes a visible toast.
func (q *Queue) Dismiss(now time.Time, key string) {
	q.visible = slices.DeleteFunc(q.visible, func(v Toast) bool { return v.Key == key })
	q.fill(now)
}

// Clear drops all toasts: they were for other rights than the reader has now.
func (q *Queue) Clear() { q.visible, q.waiting, q.dropped = nil, nil, 0 }

// Advance removes what is over and shows what waited.
func (q *Queue) Advance(now time.Time) {
	if !q.held.IsZero() {
		return
	}
	q.visible = slices.DeleteFunc(q.visible, func(t Toast) bool { return !t.Until.IsZero() && !now.Before(t.Until) })
	q.fill(now)
}

func (q *Queue) fill(now time.Time) {
	for len(q.visible) < q.most() && len(q.waiting) > 0 {
		q.visible = append(q.visible, q.shown(now, q.waiting[0]))
		q.waiting = slices.Delete(q.waiting, 0, 1)
	}
	if len(q.visible) == 0 {
		q.dropped = 0
	}
}

// Visible are the toasts on the screen, oldest first.
func (q *Queue) Visible() []Toast { return slices.Clone(q.visible) }

// More is how many wait or were left to the history alone.
func (q *Queue) More() int { return len(q.waiting) + q.dropped }

// Next is when Advance has something to do, zero where nothing is planned.
func (q *Queue) Next() time.Time {
	var next time.Time
	if !q.held.IsZero() {
		return next
	}
	for _, t := range q.visible {
		if !t.Until.IsZero() && (next.IsZero() || t.Until.Before(next)) {
			next = t.Until
		}
	}
	return next
}

// An Announcer keeps a live region from talking without a break: what it says
// changes at most every two seconds. The zero Announcer has said nothing.
type Announcer struct {
	text string
	at   time.Time
}

const sayEvery = 2 * time.Second

// Say takes what there is to say and returns what the region is to hold.
func (a *Announcer) Say(now time.Time, text string) string {
	if text != a.text && now.Sub(a.at) >= sayEvery {
		a.text, a.at = text, now
	}
	return a.text
}
