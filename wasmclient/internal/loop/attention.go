package loop

import (
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// attention decides which tab shows a toast: the one in use, or the leader
// where none is; and counts what came while nobody looked, for one summary. Only
// Run's goroutine uses it.
type attention struct {
	timer   alarm       // of the toasts
	other   string      // the tab in use, where it is another
	since   wire.Cursor // places of the log up to this were seen, or are in the first snapshot
	away    int         // toasts that nobody saw
	back    bool        // the page is visible again, and the summary is due
	started bool
}

// toastsChanged says that the queue of toasts is another, or is to be looked at.
type toastsChanged struct{}

// look takes what concerns toasts. Events of the page are for others too.
func (d *driver) look(in any) (done bool) {
	a, now := &d.looking, time.Now()
	switch in {
	case toastsChanged{}:
		d.advance(now)
		return true
	case port.Appeared:
		a.back = true
		d.mu.Lock()
		d.state.Toasts.Release(now)
		d.mu.Unlock()
		d.lookedAt(now)
		d.advance(now)
	case port.Vanished:
		a.back = false
		d.mu.Lock()
		d.state.Toasts.Hold(now)
		d.mu.Unlock()
	case port.Focused:
		a.other = ""
		d.group.post(tabs.Message{Kind: tabs.Focus})
	case port.Blurred:
		d.group.post(tabs.Message{Kind: tabs.Blur})
	}
	return false
}

// loaded records the place of the first snapshot of a log. Events before it are no
// news.
func (a *attention) loaded(at wire.Cursor) {
	if !a.started || a.since.Epoch != at.Epoch {
		a.started, a.since = true, at
	}
}

func (a *attention) hear(m tabs.Message) {
	switch m.Kind {
	case tabs.Focus:
		a.other = m.From
	case tabs.Blur:
		if a.other == m.From {
			a.other = ""
		}
	case tabs.Seen:
		if m.After.Epoch != a.since.Epoch || m.After.Seq >= a.since.Seq {
			a.since, a.away = m.After, 0
		}
	}
}

// noticed takes an event of the history.
func (d *driver) noticed(r store.Received, at wire.Cursor, now time.Time) {
	if !d.cfg.Toasts || d.cfg.Page == nil {
		return
	}
	a := &d.looking
	_, self := access.RedactForPerson(d.cfg.Grant, r.Event)
	if _, worth := event.ToastText(r.Event, self); !worth || at.Epoch == a.since.Epoch && at.Seq <= a.since.Seq {
		return
	}
	visible := d.cfg.Page.Visible()
	switch {
	case !visible || a.back:
		a.away++
	case r.Replayed:
	case d.cfg.Page.Focused(), a.other == "" && d.state.Member.Role() != tabs.Follower:
		d.mu.Lock()
		d.state.Toasts.Add(now, r.Event, self)
		d.mu.Unlock()
		d.seen()
		d.advance(now)
	}
}

// seen tells the other tabs that the user has been shown everything here.
func (d *driver) seen() {
	d.group.post(tabs.Message{Kind: tabs.Seen, After: d.state.Machine.Cursor()})
}

// lookedAt makes the summary, once the page is visible and everything that was
// missed is there.
func (d *driver) lookedAt(now time.Time) {
	a := &d.looking
	if !a.back || !d.state.Machine.HasCaughtUp() || !d.state.Machine.Status().Connected() {
		return
	}
	a.back = false
	d.mu.Lock()
	if a.away > 0 {
		d.state.Toasts.Away(now, a.away)
	}
	d.mu.Unlock()
	a.away, a.since = 0, d.state.Machine.Cursor()
	d.seen()
	d.advance(now)
}

// advance lets toasts go whose time is over.
func (d *driver) advance(now time.Time) {
	d.mu.Lock()
	d.state.Toasts.Advance(now)
	next := d.state.Toasts.Next()
	d.mu.Unlock()
	d.looking.timer.at(next)
	d.changed()
}
