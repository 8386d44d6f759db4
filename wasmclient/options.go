package wasmclient

import (
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Options of a Client. The zero value of every field but Transport is good.
type Options struct {
	Transport Transport        // required
	Disabled  bool             // do not connect before Connect is called
	Grant     access.Grant     // whose figures and toasts; with a Page or a Storage the broker's, user and all
	Ladder    []conn.Transport // the transports to try, best first; nil is conn.DefaultLadder

	Filter    filter.Filter // which events reach history, callbacks and toasts
	MaxEvents int           // of the history; 0 is 100
	Toasts    bool          // keep a queue of brief messages, for the tab in use
	MaxToasts int           // that are visible at once; 0 is 3

	Snapshot bool        // keep the state that figures come from; it needs all events, whatever Filter is
	After    wire.Cursor // without Snapshot: where to start; zero: live events only
	Oldest   bool        // without Snapshot: start from the oldest kept event
	Backfill uint64      // with Snapshot: how many places of the log before it the history begins

	Page    Page          // the page that the client runs in: one connection for all its tabs; nil: none
	Grace   time.Duration // after all tabs were hidden for so long the stream is closed; 0 is 30 s
	Storage Storage       // keeps snapshot, history and outbox over reloads; nil: in memory alone

	OnEvent  func(store.Received)          // for every event that passes Filter
	OnGap    func(wire.Gap)                // events were lost for good
	OnChange func()                        // anything that View shows is another
	OnStep   func(conn.Input, conn.Status) // for debugging: every input of the machine

	Random func() float64 // in [0,1), for jitter; nil is as good as any. Only Run's goroutine calls it
}

// DefaultGrace is how long all tabs are hidden before the stream is closed.
const DefaultGrace = 30 * time.Second

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

// maxTransitions is how many are kept.
const maxTransitions = 200
