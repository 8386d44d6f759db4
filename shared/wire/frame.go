package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// A Frame is one of *Hello, *Event, *Gap, *Heartbeat and *Bye, and on a
// WebSocket of *FilterChanged and *Reply too.
type Frame interface {
	// ReachedCursor is the cursor that a reader has reached with this frame; the zero
	// Cursor for Bye and Reply, which move nobody.
	ReachedCursor() Cursor
}

// Hello is the first frame of every stream.
type Hello struct {
	Start      Cursor // the stream delivers what comes after it
	Head       Cursor // the log's newest event
	Oldest     Cursor // the log's oldest kept event
	Heartbeat  time.Duration
	Retry      time.Duration // how long to wait before the first try to reconnect
	Connection string        // names the connection in logs
	Grant      string        // changes with what the reader may see
}

// Event is one event as its reader may see it.
type Event struct {
	Cursor Cursor
	Event  event.Event
}

// Gap says that what came after From, up to and including To, can no longer
// be had. Whoever holds a state must take a new snapshot.
type Gap struct {
	From Cursor `json:"from"`
	To   Cursor `json:"to"`
}

// Heartbeat says that the stream lives and is delivered through Cursor.
type Heartbeat struct {
	Cursor Cursor
}

// Bye is the broker's last word on a stream.
type Bye struct {
	Reason Reason
	Delay  time.Duration // wait at least so long before reconnecting
}

// Reason is why the broker ends a stream.
type Reason string

// The reasons. A client that does not know one reconnects.
const (
	ByeRetry     Reason = "retry"      // reconnect
	ByeSlow      Reason = "slow"       // the reader lagged too far: reconnect and resume
	ByeDrain     Reason = "drain"      // the broker stops: reconnect after the delay
	ByeRegrant   Reason = "regrant"    // the rights changed: reconnect with an empty store
	ByeSignedOut Reason = "signed_out" // sign in
	ByeExpired   Reason = "expired"    // sign in
	ByeStop      Reason = "stop"       // do not reconnect
)

// ReachedCursor implements Frame.
func (h *Hello) ReachedCursor() Cursor { return h.Start }

// ReachedCursor implements Frame.
func (e *Event) ReachedCursor() Cursor { return e.Cursor }

// ReachedCursor implements Frame.
func (g *Gap) ReachedCursor() Cursor { return g.To }

// ReachedCursor implements Frame.
func (h *Heartbeat) ReachedCursor() Cursor { return h.Cursor }

// ReachedCursor implements Frame.
func (*Bye) ReachedCursor() Cursor { return Cursor{} }

// Names of the frames that are no events of the vocabulary.
const (
	nameHello = "hello"
	nameGap   = "gap"
	nameBye   = "bye"
)

// The JSON of the control frames. Durations are milliseconds.
type (
	helloJSON struct {
		Epoch      string `json:"epoch"`
		Head       Cursor `json:"head"`
		Oldest     Cursor `json:"oldest"`
		Heartbeat  int64  `json:"heartbeat_ms"`
		Retry      int64  `json:"retry_ms"`
		Connection string `json:"connection"`
		Grant      string `json:"grant"`
	}
	byeJSON struct {
		Reason Reason `json:"reason"`
		Delay  int64  `json:"delay_ms"`
	}
)

// AppendSSE appends a frame as one block of an event stream. A FilterChanged and a
// Reply are of WebSockets alone and have none.
func AppendSSE(b []byte, f Frame) []byte {
	switch f := f.(type) {
	case *Event:
		b = appendID(b, f.Cursor)
		b = append(b, "event: "...)
		b = append(b, f.Event.Type...)
		b = append(b, "\ndata: "...)
		return append(f.appendJSON(b), "\n\n"...)
	case *Heartbeat:
		return append(appendID(b, f.Cursor), '\n')
	case *FilterChanged, *Reply:
		return b
	case *Hello:
		b = append(b, "retry: "...)
		b = strconv.AppendInt(b, f.Retry.Milliseconds(), 10)
		b = append(b, '\n')
	}
	if f.ReachedCursor() != (Cursor{}) {
		b = appendID(b, f.ReachedCursor())
	}
	name, data := control(f)
	b = append(append(b, "event: "...), name...)
	b = append(append(b, "\ndata: "...), data...)
	return append(b, "\n\n"...)
}

// appendJSON appends the event with its cursor.
func (e *Event) appendJSON(b []byte) []byte {
	own := e.Event
	own.Cursor = e.Cursor.String()
	return own.AppendJSON(b)
}

// control is the name and the data of a Hello, Gap or Bye.
func control(f Frame) (name string, data json.RawMessage) {
	switch f := f.(type) {
	case *Hello:
		return nameHello, encode(helloJSON{f.Head.Epoch, f.Head, f.Oldest,
			f.Heartbeat.Milliseconds(), f.Retry.Milliseconds(), f.Connection, f.Grant})
	case *Gap:
		return nameGap, encode(f)
	case *Bye:
		return nameBye, encode(byeJSON{f.Reason, f.Delay.Milliseconds()})
	}
	panic(fmt.Sprintf("wire: unknown frame %T", f))
}

func appendID(b []byte, c Cursor) []byte {
	b = append(b, "id: "...)
	b = append(b, c.String()...)
	return append(b, '\n')
}

// ParseMessage turns a decoded message back into a frame. A message that
// carries an unknown event is nil without an error, so that a newer broker
// may say more than this client knows. An event of a known type that cannot be
// read is an *Unreadable, where its place is known.
func ParseMessage(m Message) (Frame, error) {
	at, err := ParseCursor(m.LastEventID)
	if err != nil {
		return nil, err
	}
	if m.Empty {
		return &Heartbeat{at}, nil
	}
	switch m.Type {
	case nameHello:
		var h helloJSON
		if err := json.Unmarshal(m.Data, &h); err != nil {
			return nil, fmt.Errorf("wire: hello: %w", err)
		}
		return &Hello{at, h.Head, h.Oldest, milliseconds(h.Heartbeat), milliseconds(h.Retry), h.Connection, h.Grant}, nil
	case nameGap:
		var g Gap
		if err := json.Unmarshal(m.Data, &g); err != nil {
			return nil, fmt.Errorf("wire: gap: %w", err)
		}
		return &g, nil
	case nameBye:
		var g byeJSON
		if err := json.Unmarshal(m.Data, &g); err != nil {
			return nil, fmt.Errorf("wire: bye: %w", err)
		}
		return &Bye{g.Reason, milliseconds(g.Delay)}, nil
	}
	if !event.Type(m.Type).Known() {
		return nil, nil
	}
	e := &Event{Cursor: at}
	if err := json.Unmarshal(m.Data, &e.Event); err != nil {
		err = fmt.Errorf("wire: %s: %w", m.Type, err)
		if at == (Cursor{}) {
			return nil, err
		}
		return &Unreadable{at, err}, nil
	}
	return e, nil
}

// Unreadable stands for an event that this build cannot read. The broker never
// writes it.
type Unreadable struct {
	Cursor Cursor
	Err    error
}

// ReachedCursor implements Frame.
func (u *Unreadable) ReachedCursor() Cursor { return u.Cursor }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
