package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// State is how a connection looks to people; see the table of states in the
// docs. The names are part of the page's contract.
type State string

// The states.
const (
	Connecting   State = "connecting"
	Live         State = "live"
	Reconnecting State = "reconnecting"
	Offline      State = "offline"
	Paused       State = "paused"
	Stale        State = "stale"
	Denied       State = "denied"
	Disconnected State = "disconnected"
	Limited      State = "limited"
	Polling      State = "polling" // live, by long polls
)

// Transport is how the events come.
type Transport string

// The transports, best first.
const (
	SSE       Transport = "sse"
	WebSocket Transport = "websocket"
	Poll      Transport = "poll"
)

// Tabs is the way of a machine that follows: the frames come from another tab
// of the same browser, which holds the connection for all. It is on no ladder.
const Tabs Transport = "tabs"

// Ladder is the order in which a client tries transports that it has all of.
var Ladder = []Transport{SSE, WebSocket, Poll}

// A Status is a state with its details.
type Status struct {
	State   State
	Since   time.Time // the state holds from then on
	RetryAt time.Time // the next attempt; zero where none is planned
	Attempt int       // failed attempts in a row
	Code    string    // why, "" where there is nothing to say: sign_in_required, forbidden, …

	Transport Transport // "" unless events come
}

// Connected tells whether events come.
func (s Status) Connected() bool { return s.State == Live || s.State == Polling }

// A Failure is why an attempt ended.
type Failure struct {
	Status     int           // of HTTP; 0 where no answer came
	FromBroker bool          // false: a proxy or the like answered in the broker's place
	Code       string        // of the problem document, or of the client: network, not_a_stream
	RetryAfter time.Duration // what the answer asked for
}

// Inputs of the machine. Attempt says which attempt of the driver's an input
// belongs to: what comes late from an earlier one is passed over.
type (
	// Start connects, whatever state it is in; also "retry now".
	Start struct{}
	// Stop disconnects until Start.
	Stop struct{}
	// Pause disconnects until a Resume with the same code: who pauses for one
	// reason is not resumed for another.
	Pause struct{ Code string }
	// Resume ends a pause.
	Resume struct{ Code string }
	// Woke: the machine slept, so that what looks alive may be long dead.
	Woke struct{}
	// Follow takes the frames from another tab from now on, Lead from a
	// connection of its own, as is so at first.
	Follow struct{}
	Lead   struct{}
	// Upstream is the status of the connection that is followed. It is shown as
	// one's own.
	Upstream struct {
		Attempt int
		Status  Status
	}
	// Reopen connects again at the place that was reached, without a word of
	// it: what is asked for is another.
	Reopen struct{}
	// Online and GoneOffline are what the browser says of the network.
	Online      struct{}
	GoneOffline struct{}
	// Snapshot: a snapshot was taken into the store.
	Snapshot struct {
		Attempt int
		Cursor  wire.Cursor
		Grant   string
	}
	// Frame: the stream brought a frame.
	Frame struct {
		Attempt int
		Frame   wire.Frame
	}
	// Ended: the attempt is over.
	Ended struct {
		Attempt int
		Failure Failure
	}
	// Tick: the alarm went off.
	Tick struct{}
)

// An Input is one of the types above.
type Input any

// Effects of a step, to be carried out in order.
type (
	// FetchSnapshot asks for a snapshot; Snapshot or Ended answers.
	FetchSnapshot struct{ Attempt int }
	// Open opens a stream; Frames and then Ended answer.
	Open struct {
		Attempt   int
		After     wire.Cursor // zero: live events only
		Transport Transport
	}
	// Abort ends the attempt; nothing more is wanted of it.
	Abort struct{ Attempt int }
	// Alarm asks for a Tick at a time, in place of any earlier one; the zero
	// time asks for none.
	Alarm struct{ At time.Time }
	// Deliver hands a frame to the store. Replayed: it is older than the
	// stream.
	Deliver struct {
		Frame    wire.Frame
		Replayed bool
	}
	// Changed says that the status is another.
	Changed struct{ Status Status }
)

// An Effect is one of the types above.
type Effect any

// Config is fixed for the life of a machine.
type Config struct {
	Snapshot bool           // start from a snapshot, and from another after a gap
	Backfill uint64         // how far before the first snapshot the stream starts, for a history that is not empty
	After    wire.Cursor    // where to start; zero: live events only. With Snapshot: where the history that is kept ends
	Ladder   []Transport    // best first; nil: SSE alone
	Random   func() float64 // in [0,1), for jitter; required
}

// Timing, by the docs.
const (
	minDelay     = time.Second      // of the first retry, unless the broker says more
	maxDelay     = 30 * time.Second // of any retry by backoff
	helloWithin  = 5 * time.Second  // else something buffers the stream
	deadWithin   = 12 * time.Second // of a transport that worked: browsers notice a dead HTTP/2 connection after 10 s
	snapshotTime = 15 * time.Second
	steadyAfter  = 10 * time.Second // a stream that lived so long ends a row of failures
	missedBeats  = 3                // heartbeats without a byte
	earlyCuts    = 3                // streams in a row that are cut before they are steady: another transport may do better
	climbAfter   = time.Minute      // until a better transport is tried again; twice as long after each that failed
	maxClimb     = 15 * time.Minute
	maxCatchUp   = 2000 // places between a kept history and the snapshot; beyond, the history begins anew
)

// LeaderChanged is why an attempt to follow ends: another tab leads, or some of
// what it said was not heard.
const LeaderChanged = "leader_changed"

// LoginRedirect is the code of an attempt that got a redirect: a login proxy or a
// captive portal wants the user to sign in first. A reload of the page leads there.
const LoginRedirect = "login_redirect"

// NoNetwork is why an attempt fails where the browser has no network.
const NoNetwork = "offline"

// delay is how long to wait before attempt n after a failure (n counts from
// 1): jitter over the whole range between the least delay and a bound that
// doubles.
func delay(n int, least time.Duration, random float64) time.Duration {
	bound := min(maxDelay, least<<min(n, 10))
	least = min(least, bound)
	return least + time.Duration(random*float64(bound-least))
}
