package tabs

import (
	"encoding/json"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// Version is part of the names of lock and channel: after an update old and
// new builds live side by side, and must not take each other's messages.
const Version = "1"

// Kind is what a message says.
type Kind string

// The kinds.
const (
	Lead      Kind = "lead"      // I lead, by Term: attach
	Left      Kind = "left"      // I lead no more
	Attach    Kind = "attach"    // give me what comes After, of Types
	Attached  Kind = "attached"  // the answer
	Frames    Kind = "frames"    // what the connection delivered
	Status    Kind = "status"    // the connection's status
	Ping      Kind = "ping"      // does the leader live?
	Pong      Kind = "pong"      // it does
	Retry     Kind = "retry"     // the user wants the connection tried at once
	Reconnect Kind = "reconnect" // the user wants another connection
	Shown     Kind = "shown"     // I am visible
	Focus     Kind = "focus"     // I am the tab in use
	Blur      Kind = "blur"      // no more
	Seen      Kind = "seen"      // the user has been shown what happened until now
	Outbox    Kind = "outbox"    // Body is items of the outbox that are new or changed
)

// A Message goes to all other tabs, and means all unless it says To.
type Message struct {
	From   string          `json:"from"`
	To     string          `json:"to,omitempty"`
	Kind   Kind            `json:"kind"`
	Term   string          `json:"term,omitempty"`   // of lead, left, attached, frames, status: names one time of leading
	Ask    int             `json:"ask,omitempty"`    // of attach, and of its answer
	After  wire.Cursor     `json:"after,omitzero"`   // of attach; zero: what comes from now on
	Types  []event.Type    `json:"types,omitempty"`  // of attach; empty: all
	N      uint64          `json:"n,omitempty"`      // of frames: counts them; of attached: the last before it
	Start  wire.Cursor     `json:"start,omitzero"`   // of attached: Lines are what comes after it
	Head   wire.Cursor     `json:"head,omitzero"`    // of attached: what comes through it is no news
	Grant  string          `json:"grant,omitempty"`  // of attached: for whose eyes
	Lines  string          `json:"lines,omitempty"`  // frames, as wire.AppendJSON writes them
	Status *conn.Status    `json:"status,omitempty"` // of attached and status
	Body   json.RawMessage `json:"body,omitempty"`
}

// Role is the part that a tab has.
type Role string

// The roles.
const (
	Alone    Role = "alone" // it has a connection for itself, or wants none
	Follower Role = "follower"
	Leader   Role = "leader"
)
