// Package toast has the rules for toasts: which of them are shown, for how long, and when one summary
// replaces many.
//
// A [Queue] has no clock: the caller gives it the time, and calls [Queue.Advance] at the time that
// [Queue.Next] returns. An [Announcer] bounds how often a screen reader's live region changes.
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
	Key      string // Key identifies the toast. It is not the event's id, because two publishers may use one id.
	ID       string // ID is the event's id, or "summary".
	Severity event.Severity
	Type     event.Type
	Subject  string
	Text     string
	URL      string    // URL is the path of this origin to which the toast's action leads. Empty means no action.
	Action   string    // Action is the label of the action.
	Until    time.Time // Until is the time at which the toast goes. Zero means that it stays until it is dismissed.

	addedAt time.Time
	count   int // the number of events that a summary stands for
}

const (
	defaultMaxVisible = 3  // toasts at once
	maxWaiting        = 20 // further toasts; later ones are only counted

	// replaceWithin is the time within which a new toast replaces one of the same type and subject.
	replaceWithin = 3 * time.Second

	// More than floodThreshold events of one type within floodWithin become one summary.
	floodWithin    = 2 * time.Second
	floodThreshold = 5

	// actionLifetime replaces the lifetime of a toast with an action.
	actionLifetime = 10 * time.Second

	summaryID = "summary"
	missedKey = "away" // the key of the summary of missed events
)

// lifetimes are the times for which toasts are visible. 0 means until the toast is dismissed.
var lifetimes = map[event.Severity]time.Duration{
	event.Info:    5 * time.Second,
	event.Success: 5 * time.Second,
	event.Warning: 8 * time.Second,
	event.Error:   0,
}

// A Queue holds the toasts that are visible and those that wait. The zero Queue is empty. It is not
// safe for concurrent use.
type Queue struct {
	visible   []Toast // oldest first
	waiting   []Toast // oldest first
	dropped   int     // toasts that found no room, since the queue was last empty
	arrivals  map[event.Type][]time.Time
	knownKeys []string  // keys of events that were added, newest last
	heldSince time.Time // toasts do not age from then on; zero if they do
	muted     []event.Type
	format    event.ToastFormat
	max       int     // visible at once; 0 means defaultMaxVisible
	scale     float64 // factor for lifetimes; 0 means 1
}

// Never is the scale with which toasts stay until they are dismissed.
const Never = -1

// SetScale sets the factor for the lifetimes of toasts: 1, 2, or Never. 0 means 1. Toasts that are
// visible keep their time.
func (q *Queue) SetScale(scale float64) { q.scale = scale }

// SetFormat sets the format of money and dates. Defaults to the zero ToastFormat.
func (q *Queue) SetFormat(f event.ToastFormat) { q.format = f }

// SetMuted sets the types whose events make no toasts. Defaults to none.
func (q *Queue) SetMuted(types []event.Type) { q.muted = types }

// SetMax sets the greatest number of toasts that are visible at once. 0 means 3.
func (q *Queue) SetMax(now time.Time, max int) {
	q.max = max
	if surplus := len(q.visible) - q.maxVisible(); surplus > 0 { // the newest wait again
		at := len(q.visible) - surplus
		q.waiting = slices.Concat(q.visible[at:], q.waiting)
		q.visible = slices.Clone(q.visible[:at])
	}
	q.fill(now)
}

// Hold stops the aging of toasts, because the page is hidden, or the pointer or the focus is on a toast.
// After Release, each toast is visible for the rest of its time.
func (q *Queue) Hold(now time.Time) {
	if q.heldSince.IsZero() {
		q.heldSince = now
	}
}

// Release ends Hold.
func (q *Queue) Release(now time.Time) {
	if q.heldSince.IsZero() {
		return
	}
	for i, t := range q.visible {
		if !t.Until.IsZero() {
			q.visible[i].Until = t.Until.Add(now.Sub(q.heldSince))
		}
	}
	q.heldSince = time.Time{}
}

// AddMissed adds one toast for the n events that came while the user did not look.
func (q *Queue) AddMissed(now time.Time, n int) {
	text := "One event while you were away"
	if n != 1 {
		text = fmt.Sprintf("%d events while you were away", n)
	}
	t := Toast{Key: missedKey, ID: summaryID, Severity: event.Info, Text: text, addedAt: now}
	q.visible = slices.DeleteFunc(q.visible, func(old Toast) bool { return old.Key == missedKey })
	q.put(now, t)
}

// Add adds a toast for an event, if its type makes toasts and the event was not added before. self says
// that the event is about the user in person.
func (q *Queue) Add(now time.Time, e event.Event, self bool) {
	text, hasToast := q.format.ToastText(e, self)
	key := e.Cursor + " " + e.ID
	if !hasToast || slices.Contains(q.muted, e.Type) || slices.Contains(q.knownKeys, key) {
		return
	}
	if q.knownKeys = append(q.knownKeys, key); len(q.knownKeys) > 10*maxWaiting {
		q.knownKeys = slices.Clone(q.knownKeys[maxWaiting:])
	}
	t := Toast{Key: key, ID: e.ID, Severity: e.Severity, Type: e.Type, Subject: e.Subject, Text: text, addedAt: now}
	if url := e.Data.Text("action_url"); url != "" {
		t.URL, t.Action = url, cmp.Or(e.Data.Text("action_label"), "Open")
	}
	if n := q.countArrivals(now, e.Type); n > floodThreshold {
		q.summarise(now, t, n)
		return
	}
	q.put(now, t)
}

// countArrivals notes an arrival, and returns the number of arrivals of the type within floodWithin.
func (q *Queue) countArrivals(now time.Time, t event.Type) int {
	if q.arrivals == nil {
		q.arrivals = map[event.Type][]time.Time{}
	}
	recent := slices.DeleteFunc(q.arrivals[t], func(at time.Time) bool { return now.Sub(at) > floodWithin })
	q.arrivals[t] = append(recent, now)
	return len(q.arrivals[t])
}

// put shows a toast, in the place of a recent one of the same type and subject, or lets it wait.
func (q *Queue) put(now time.Time, t Toast) {
	isReplaced := func(old Toast) bool {
		isSame := old.ID != summaryID && old.Type == t.Type && old.Subject == t.Subject
		return isSame && now.Sub(old.addedAt) <= replaceWithin
	}
	for _, list := range []*[]Toast{&q.visible, &q.waiting} {
		if i := slices.IndexFunc(*list, isReplaced); i >= 0 {
			(*list)[i] = q.withEnd(now, t)
			return
		}
	}
	if len(q.visible) < q.maxVisible() && len(q.waiting) == 0 {
		q.visible = append(q.visible, q.withEnd(now, t))
		return
	}
	if len(q.waiting) == maxWaiting {
		q.dropped++
		return
	}
	q.waiting = append(q.waiting, t)
}

// summarise replaces all toasts of a type by one, for n events or more.
func (q *Queue) summarise(now time.Time, t Toast, n int) {
	isOfType := func(old Toast) bool { return old.Type == t.Type }
	for _, old := range slices.Concat(q.visible, q.waiting) {
		if isOfType(old) && old.ID == summaryID {
			n = max(n, old.count+1)
		}
	}
	q.visible = slices.DeleteFunc(q.visible, isOfType)
	q.waiting = slices.DeleteFunc(q.waiting, isOfType)
	t.Key, t.ID, t.Subject, t.count = summaryID+string(t.Type), summaryID, "", n
	t.Text = fmt.Sprintf("%d × %s", n, strings.ReplaceAll(string(t.Type), "_", " "))
	q.put(now, t)
	q.fill(now)
}

// maxVisible returns the greatest number of visible toasts.
func (q *Queue) maxVisible() int { return cmp.Or(q.max, defaultMaxVisible) }

// withEnd returns a toast with the time at which it goes. While toasts are held, its lifetime begins with
// Release.
func (q *Queue) withEnd(now time.Time, t Toast) Toast {
	if !q.heldSince.IsZero() {
		now = q.heldSince
	}
	life := lifetimes[t.Severity]
	if t.URL != "" && life > 0 {
		life = actionLifetime
	}
	if life > 0 && q.scale != Never {
		t.Until = now.Add(time.Duration(float64(life) * cmp.Or(q.scale, 1)))
	}
	return t
}

// Dismiss removes the visible toast of a key.
func (q *Queue) Dismiss(now time.Time, key string) {
	q.visible = slices.DeleteFunc(q.visible, func(v Toast) bool { return v.Key == key })
	q.fill(now)
}

// Clear removes all toasts, because the user's grant has changed.
func (q *Queue) Clear() { q.visible, q.waiting, q.dropped = nil, nil, 0 }

// Advance removes the toasts whose time is over, and shows those that waited.
func (q *Queue) Advance(now time.Time) {
	if !q.heldSince.IsZero() {
		return
	}
	q.visible = slices.DeleteFunc(q.visible, func(t Toast) bool { return !t.Until.IsZero() && !now.Before(t.Until) })
	q.fill(now)
}

// fill shows waiting toasts while there is room.
func (q *Queue) fill(now time.Time) {
	for len(q.visible) < q.maxVisible() && len(q.waiting) > 0 {
		q.visible = append(q.visible, q.withEnd(now, q.waiting[0]))
		q.waiting = slices.Delete(q.waiting, 0, 1)
	}
	if len(q.visible) == 0 {
		q.dropped = 0
	}
}

// Visible returns the toasts to show, oldest first.
func (q *Queue) Visible() []Toast { return slices.Clone(q.visible) }

// More returns the number of toasts that wait or found no room.
func (q *Queue) More() int { return len(q.waiting) + q.dropped }

// Next returns the time at which to call Advance. Zero means that nothing is planned.
func (q *Queue) Next() time.Time {
	var next time.Time
	if !q.heldSince.IsZero() {
		return next
	}
	for _, t := range q.visible {
		if !t.Until.IsZero() && (next.IsZero() || t.Until.Before(next)) {
			next = t.Until
		}
	}
	return next
}

// An Announcer changes the text of a live region at most every two seconds, because a screen reader
// speaks each change. The zero Announcer has an empty text. It is not safe for concurrent use.
type Announcer struct {
	text string
	at   time.Time
}

// sayPause is the least time between two changes of the text.
const sayPause = 2 * time.Second

// Say returns the text that the region has to show if text is the newest message.
func (a *Announcer) Say(now time.Time, text string) string {
	if text != a.text && now.Sub(a.at) >= sayPause {
		a.text, a.at = text, now
	}
	return a.text
}
