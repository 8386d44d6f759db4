package conn

import "time"

// State is how a connection looks to the user; the table of states is in docs/client.md. The
// names are part of the page's contract.
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

// Transport is the way in which events reach the client.
type Transport string

// The transports, best first.
const (
	SSE       Transport = "sse"
	WebSocket Transport = "websocket"
	Poll      Transport = "poll"
)

// Tabs is the transport of a machine that follows: another tab of the same browser holds the
// connection and passes its frames on. Tabs is never part of a ladder.
const Tabs Transport = "tabs"

// DefaultLadder is the order in which a client tries transports if it has all of them.
var DefaultLadder = []Transport{SSE, WebSocket, Poll}

// A Status is a state with its details.
type Status struct {
	State   State
	Since   time.Time // Since is the time at which the state began.
	RetryAt time.Time // RetryAt is the time of the next attempt. Zero means that none is planned.
	Attempt int       // Attempt is the number of failed attempts in a row.
	Code    string    // Code is the reason: sign_in_required, forbidden, … It is empty if there is none.

	Transport Transport // Transport carries the events. It is empty unless [Status.Connected].
}

// Connected reports whether events arrive.
func (s Status) Connected() bool { return s.State == Live || s.State == Polling }

// A Failure says why an attempt ended.
type Failure struct {
	Status     int           // Status is the HTTP status. 0 means that there was no answer.
	FromBroker bool          // FromBroker is false if something else answered, such as a proxy.
	Code       string        // Code is the problem document's, or the client's: network, not_a_stream, …
	RetryAfter time.Duration // RetryAfter is the delay that the answer asked for. 0 means none.
}

// Codes of failures that the client reports itself.
const (
	// LeaderChanged ends an attempt to follow: another tab leads now, or this tab missed some of
	// the leader's messages.
	LeaderChanged = "leader_changed"

	// LoginRedirect ends an attempt that was answered by a redirect: a login proxy or a captive
	// portal wants the user to sign in first. Reloading the page leads the user there.
	LoginRedirect = "login_redirect"

	// NoNetwork ends an attempt of a browser that has no network.
	NoNetwork = "offline"
)
