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
	Status    conn.Status
	Role      tabs.Role // of this tab
	Cursor    wire.Cursor
	Connected bool
	LastEvent *store.Received  // nil before the first
	Events    []store.Received // newest first
	Counts    map[event.Type]int
	Total     int
	Figures   map[string]projection.Figure // nil before the first snapshot
	Currency  string
	Today     string        // the day of the installation, YYYY-MM-DD; "" before the first snapshot
	AsOf      time.Time     // when what is shown was true, where it is from the last visit; else zero
	Toasts    []toast.Toast // oldest first
	More      int           // toasts that wait, or were left to the history
	Outbox    []outbox.Item // oldest first
	Lost      int           // items that were unsent when the browser emptied its storage; until LostRead
	Unsaved   bool          // the storage failed: what is not sent is lost with this tab, unless it takes that after all
}

// RetryIn is how long it is until the next attempt, 0 where none is planned.
func (v View) RetryIn(now time.Time) time.Duration {
	if v.Status.RetryAt.IsZero() {
		return 0
	}
	return max(0, v.Status.RetryAt.Sub(now))
}

// Unsent is how many events wait in the outbox.
func (v View) Unsent() int { return v.count(outbox.Queued) }

// Rejected is how many the broker refused, so that the user must decide.
func (v View) Rejected() int { return v.count(outbox.Rejected) }

func (v View) count(s outbox.State) (n int) {
	for _, item := range v.Outbox {
		if item.State == s {
			n++
		}
	}
	return n
}

// A Transition is a change of state, for the panel and for reports.
type Transition struct {
	At     time.Time
	Status conn.Status
	Role   tabs.Role
	Cause  string // the input that led to it
}

// View returns what the client knows now. Its parts do not change later.
func (c *Client) View() (v View) {
	c.loop.Read(func(s *loop.State) { v = c.viewOf(s, time.Now()) })
	return v
}

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
