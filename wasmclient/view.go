package wasmclient

import (
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/loop"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A View is what a client knows at a moment.
type View struct {
	// Status is the state of the connection. In a tab that follows it is the leading tab's.
	Status conn.Status

	// Role says whether this tab holds the connection for others, follows another tab, or is alone.
	Role tabs.Role

	// Cursor is the place of the log that the client has reached.
	Cursor wire.Cursor

	// Connected reports whether events arrive, by a stream or by long polls.
	Connected bool

	// LastEvent is the newest event of Events, or nil if there is none.
	LastEvent *store.Received

	// Events are the last Options.MaxEvents events that Options.Filter selects, newest first.
	Events []store.Received

	// Counts is the number of events of each type since the start or the last Clear.
	Counts map[event.Type]int

	// Total is the number of events since the start or the last Clear.
	Total int

	// Figures are the figures of the state at Cursor. They are nil before the first snapshot.
	Figures map[string]projection.Figure

	// Currency is the currency of all sums. It is "" before the first snapshot.
	Currency string

	// Today is the day of the installation as YYYY-MM-DD, wherever the browser is. It is "" before the first snapshot.
	Today string

	// AsOf is when the shown state was true, if it is from the last visit. It is zero once the broker's snapshot is
	// there.
	AsOf time.Time

	// Toasts are the visible toasts, oldest first.
	Toasts []toast.Toast

	// More is the number of toasts that wait to be visible, or that found no room and are in the history alone.
	More int

	// Outbox are the events that the user wrote, oldest first.
	Outbox []outbox.Item

	// Lost is the number of items of the outbox that were unsent when the browser emptied its storage. AcknowledgeLost
	// resets it.
	Lost int

	// Unsaved reports that the storage has failed: unsent items of the outbox are lost with this tab, unless the
	// storage works again before.
	Unsaved bool
}

// RetryIn returns the time from now until the next attempt to connect, or 0 if none is planned.
func (v View) RetryIn(now time.Time) time.Duration {
	if v.Status.RetryAt.IsZero() {
		return 0
	}
	return max(0, v.Status.RetryAt.Sub(now))
}

// Unsent returns the number of events that wait in the outbox.
func (v View) Unsent() int { return v.count(outbox.Queued) }

// Rejected returns the number of events that the broker refused. The user must retry or discard each.
func (v View) Rejected() int { return v.count(outbox.Rejected) }

func (v View) count(s outbox.State) (n int) {
	for _, item := range v.Outbox {
		if item.State == s {
			n++
		}
	}
	return n
}

// A Transition is a change of the connection's status, for reports.
type Transition struct {
	At     time.Time
	Status conn.Status // after the change
	Role   tabs.Role   // of this tab at that time
	Cause  string      // the Go type of the input that led to the change
}

// View returns what the client knows now. The parts of the returned value do not change later.
func (c *Client) View() (v View) {
	c.loop.Read(func(s *loop.State) { v = c.viewOf(s, time.Now()) })
	return v
}

// viewOf returns the view of a state. It runs while the loop's lock is held.
func (c *Client) viewOf(s *loop.State, now time.Time) View {
	status := s.Machine.Status()
	if s.Ended {
		status = conn.Status{State: conn.Disconnected, Code: "ended", Since: status.Since}
	}
	v := View{
		Status:    status,
		Role:      s.Member.Role(),
		Cursor:    s.Machine.Cursor(),
		Connected: status.Connected(),
		Events:    s.Store.Events(),
		Counts:    s.Store.Counts(),
		Total:     s.Store.Total(),
		Figures:   s.Store.Figures(c.grant, now),
		Currency:  s.Store.Currency(),
		Today:     s.Store.Today(now),
		AsOf:      s.AsOf,
		Toasts:    s.Toasts.Visible(),
		More:      s.Toasts.More(),
		Outbox:    s.Outbox.Items(),
		Lost:      s.Lost,
		Unsaved:   s.Unsaved,
	}
	if len(v.Events) > 0 {
		v.LastEvent = &v.Events[0]
	}
	return v
}
