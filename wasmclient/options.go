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

// Options configure a [Client]. Transport is required; the zero value of every other field works.
type Options struct {
	// Transport reaches the broker. It is required.
	Transport Transport

	// Disabled makes Run wait for Connect before it connects. The outbox is sent all the same.
	Disabled bool

	// Grant has the user and the rights for which View has figures and toasts. If there is a Page or a Storage, it
	// must be the grant of the broker's session, because tabs and stored values are kept apart by user and rights.
	Grant access.Grant

	// Ladder are the transports to try, best first. Nil means conn.DefaultLadder.
	Ladder []conn.Transport

	// Filter selects the events that reach history, callbacks and toasts. The zero filter selects all.
	Filter filter.Filter

	// MaxEvents is the length of View.Events. Defaults to 100.
	MaxEvents int

	// Toasts keeps a queue of short messages about events, for the tab that the user looks at. It needs a Page.
	Toasts bool

	// MaxToasts is the number of toasts that are visible at once. Defaults to 3.
	MaxToasts int

	// Snapshot starts from a snapshot of the state, and keeps the state up to date: View.Figures and Entities need
	// it. The connection then asks for all events, not only for those that Filter selects.
	Snapshot bool

	// After is the cursor of the last event that the caller has: the stream begins after it. The zero cursor means live
	// events only. With Snapshot, leave it zero: the client knows the end of its history by itself.
	After wire.Cursor

	// Oldest starts from the oldest event that the broker keeps, if After is zero. With Snapshot it is ignored.
	Oldest bool

	// Backfill is the number of places of the log before the first snapshot at which the history begins. Defaults to 0:
	// the history begins with the snapshot. Without Snapshot it is ignored.
	Backfill uint64

	// Page is the page that the client runs in. All tabs of a browser with the same user and rights share one
	// connection. Nil means that there are no other tabs.
	Page Page

	// Grace is how long all tabs must be hidden before the client closes the connection. Defaults to DefaultGrace.
	Grace time.Duration

	// Storage keeps snapshot, history and outbox over reloads. Nil keeps the outbox in memory, and the rest not at all.
	Storage Storage

	// OnEvent is called with every event that Filter selects, by Run's goroutine. It must not block.
	OnEvent func(store.Received)

	// OnGap is called by Run's goroutine when events are lost for good. It must not block.
	OnGap func(wire.Gap)

	// OnChange is called when View shows something else than before. Run's goroutine calls it, and so do the
	// goroutines of methods that change the View, perhaps at the same time. It must not block.
	OnChange func()

	// OnStep is called by Run's goroutine with every input of the connection's machine and the status after it. It
	// is for debugging, and must not block.
	OnStep func(conn.Input, conn.Status)

	// Random returns numbers in [0,1), for the jitter of retries. Only Run's goroutine calls it. Nil means
	// math/rand/v2.Float64.
	Random func() float64
}

// DefaultGrace is the default of [Options.Grace], 30 seconds.
const DefaultGrace = loop.DefaultGrace
