package loop

import (
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// attention knows which tab the user works in. That tab shows a toast; if the user works in none, the tab that leads
// shows it. Events that came while the page was hidden make one summary. Only Run's goroutine uses it.
type attention struct {
	alarm       alarm       // of the toasts
	otherTab    string      // the tab that the user works in, if it is another one
	seenThrough wire.Cursor // events up to this place were shown, or are in the first snapshot
	hasSnapshot bool
	missed      int  // toasts that would have been shown if the page had been visible
	summaryDue  bool // the page became visible, and the summary of the missed events is still to be shown
}

// handleSnapshot records the place of the first snapshot of a log. Events up to it are no news.
func (a *attention) handleSnapshot(at wire.Cursor) {
	if !a.hasSnapshot || a.seenThrough.Epoch != at.Epoch {
		a.hasSnapshot, a.seenThrough = true, at
	}
}

// handleMessage handles a message of another tab.
func (a *attention) handleMessage(m tabs.Message) {
	switch m.Kind {
	case tabs.Focus:
		a.otherTab = m.From
	case tabs.Blur:
		if a.otherTab == m.From {
			a.otherTab = ""
		}
	case tabs.Seen:
		if m.After.Epoch != a.seenThrough.Epoch || m.After.Seq >= a.seenThrough.Seq {
			a.seenThrough, a.missed = m.After, 0
		}
	}
}

// releaseToasts lets the time of toasts pass, because the page is visible.
func (d *driver) releaseToasts(now time.Time) {
	d.attention.summaryDue = true
	d.mu.Lock()
	d.state.Toasts.Release(now)
	d.mu.Unlock()
	d.summarizeMissed(now)
	d.advanceToasts(now)
}

// holdToasts stops the time of toasts, because the page is hidden.
func (d *driver) holdToasts(now time.Time) {
	d.attention.summaryDue = false
	d.mu.Lock()
	d.state.Toasts.Hold(now)
	d.mu.Unlock()
}

// offerToast shows a toast for an event of the history, or counts it as missed, or leaves it to another tab.
func (d *driver) offerToast(r store.Received, at wire.Cursor, now time.Time) {
	if !d.cfg.Toasts || d.cfg.Page == nil {
		return
	}
	a := &d.attention
	_, isAboutUser := access.RedactForPerson(d.cfg.Grant, r.Event)
	_, hasText := event.ToastText(r.Event, isAboutUser)
	if !hasText || at.Epoch == a.seenThrough.Epoch && at.Seq <= a.seenThrough.Seq {
		return
	}
	isVisible := d.cfg.Page.IsVisible()
	switch {
	case !isVisible || a.summaryDue:
		a.missed++
	case r.Replayed:
	case d.cfg.Page.IsFocused(), a.otherTab == "" && d.state.Member.Role() != tabs.Follower:
		d.mu.Lock()
		d.state.Toasts.Add(now, r.Event, isAboutUser)
		d.mu.Unlock()
		d.broadcastSeen()
		d.advanceToasts(now)
	}
}

// broadcastSeen tells the other tabs that the user was shown everything up to this tab's place.
func (d *driver) broadcastSeen() {
	d.group.post(tabs.Message{Kind: tabs.Seen, After: d.state.Machine.Cursor()})
}

// summarizeMissed shows the summary of the missed events, once the page is visible and all missed events have come.
func (d *driver) summarizeMissed(now time.Time) {
	a := &d.attention
	if !a.summaryDue || !d.state.Machine.HasCaughtUp() || !d.state.Machine.Status().Connected() {
		return
	}
	a.summaryDue = false
	d.mu.Lock()
	if a.missed > 0 {
		d.state.Toasts.AddMissed(now, a.missed)
	}
	d.mu.Unlock()
	a.missed, a.seenThrough = 0, d.state.Machine.Cursor()
	d.broadcastSeen()
	d.advanceToasts(now)
}

// advanceToasts removes the toasts whose time is over, and sets the alarm for the next one.
func (d *driver) advanceToasts(now time.Time) {
	d.mu.Lock()
	d.state.Toasts.Advance(now)
	next := d.state.Toasts.Next()
	d.mu.Unlock()
	d.attention.alarm.set(next)
	d.changed()
}
