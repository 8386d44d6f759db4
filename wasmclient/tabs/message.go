package tabs

import (
	"encoding/json"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// Version is part of the names of locks and channel. After an update, tabs with the old and with
// the new build are open side by side, and must not read each other's messages.
const Version = "1"

// Kind says what a message means.
type Kind string

// The kinds. Lead, Left, Attached, Frames, Status and Pong come from a tab that leads.
const (
	Lead      Kind = "lead"      // this tab leads from now on: attach
	Left      Kind = "left"      // this tab leads no longer
	Attach    Kind = "attach"    // a follower asks for the events after a cursor
	Attached  Kind = "attached"  // the leader answers Attach
	Frames    Kind = "frames"    // the connection delivered frames
	Status    Kind = "status"    // the connection has a new status
	Ping      Kind = "ping"      // a tab asks whether the leader lives
	Pong      Kind = "pong"      // the leader answers Ping
	Retry     Kind = "retry"     // the user wants the next attempt at once
	Reconnect Kind = "reconnect" // the user wants another connection
	Shown     Kind = "shown"     // this tab is visible
	Focus     Kind = "focus"     // the user works in this tab
	Blur      Kind = "blur"      // the user no longer works in this tab
	Seen      Kind = "seen"      // the user was shown everything through a cursor
	Outbox    Kind = "outbox"    // an item of the outbox is new or has changed
)

// A Message goes to all other tabs. It concerns all of them unless it has a receiver.
type Message struct {
	From string `json:"from"`         // From is the tab that sent the message.
	To   string `json:"to,omitempty"` // To is the receiver. Empty means all other tabs.
	Kind Kind   `json:"kind"`

	// Term names one time of leading, in Lead, Left, Attached, Frames and Status.
	Term string `json:"term,omitempty"`

	// Request names a follower's question, in Attach and in its answer.
	Request int `json:"ask,omitempty"`

	// After is the cursor after which a follower wants events. Zero means those from now on. In
	// Seen, it is the cursor through which the user was shown everything.
	After wire.Cursor `json:"after,omitzero"`

	// Types are the types of events that a follower needs. Empty means all.
	Types []event.Type `json:"types,omitempty"`

	// Number counts the messages with Frames of a term from 1. In Attached it is the number of
	// the last one before the answer.
	Number uint64 `json:"n,omitempty"`

	// Start is the cursor after which the lines of Attached begin.
	Start wire.Cursor `json:"start,omitzero"`

	// Head is the head of the log at the hello of the leader's stream, in Attached. Events up to
	// it are no news.
	Head wire.Cursor `json:"head,omitzero"`

	// Grant is the grant under which the leader reads, in Attached.
	Grant string `json:"grant,omitempty"`

	// Lines are frames as wire.AppendJSON writes them, in Attached and Frames.
	Lines string `json:"lines,omitempty"`

	// Status is the status of the leader's connection, in Attached and Status.
	Status *conn.Status `json:"status,omitempty"`

	// Body is the item, in Outbox.
	Body json.RawMessage `json:"body,omitempty"`
}

// Role is the part that a tab has in the group.
type Role string

// The roles.
const (
	Alone    Role = "alone"    // the tab has a connection of its own, or wants none
	Follower Role = "follower" // the tab reads from the leader, or waits for one
	Leader   Role = "leader"   // the tab has the connection for all
)
