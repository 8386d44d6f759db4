package wasmclient

import (
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/loop"
	"github.com/snd-rental/yardline/wasmclient/store"
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

// DefaultGrace is how long all tabs are hidden before the client closes the stream.
const DefaultGrace = loop.DefaultGrace
