package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/snd-rental/yardline/shared/event"
)

// A Frame is one element of a stream: *[Hello], *[Event], *[Gap], *[Heartbeat] or *[Bye],
// on a WebSocket *[FilterChanged] or *[Reply] too. ParseMessage may also return an
// *[Unreadable].
type Frame interface {
	// ReachedCursor returns the cursor that a reader has reached with this frame. It is
	// the zero Cursor for Bye and Reply, which do not move the reader.
	ReachedCursor() Cursor
}

// Hello is the first frame of every stream.
type Hello struct {
	// Start is the cursor after which the stream delivers events.
	Start Cursor
	// Head is the newest event of the log.
	Head Cursor
	// Oldest is the oldest event that the log still has.
	Oldest Cursor
	// Heartbeat is the longest time between two frames. The broker sends a [Heartbeat] when
	// nothing else is due.
	Heartbeat time.Duration
	// Retry is the time that the client waits before its first attempt to reconnect.
	Retry time.Duration
	// Connection names the connection in the broker's log.
	Connection string
	// Grant is the ID of the reader's grant. It changes with the rights of the reader.
	Grant string
}

// Event is an event with the fields that the reader may see.
type Event struct {
	// Cursor is the cursor of the event.
	Cursor Cursor
	// Event is the event without the fields that are hidden from the reader. Its own field
	// Cursor may be empty.
	Event event.Event
}

// Gap says that the broker can no longer deliver the events after From, up to and including
// To. A reader that keeps a state must fetch a new snapshot.
type Gap struct {
	From Cursor `json:"from"`
	To   Cursor `json:"to"`
}

// Heartbeat says that the stream is alive, and that it has delivered everything up to
// and including Cursor.
type Heartbeat struct {
	// Cursor is the cursor that the stream has reached.
	Cursor Cursor
}

// Bye is the last frame of a stream that the broker ends.
type Bye struct {
	// Reason says why the broker ends the stream.
	Reason Reason
	// Delay is the least time that the client must wait before it reconnects.
	Delay time.Duration
}

// Reason says why the broker ends a stream.
type Reason string

// The reasons. A client reconnects after a reason that it does not know.
const (
	// ByeRetry asks the client to reconnect.
	ByeRetry Reason = "retry"
	// ByeSlow means that the reader lagged too far behind. It reconnects and resumes.
	ByeSlow Reason = "slow"
	// ByeDrain means that the broker stops. The client reconnects after the delay.
	ByeDrain Reason = "drain"
	// ByeRegrant means that the reader's rights have changed. The client reconnects with
	// an empty store.
	ByeRegrant Reason = "regrant"
	// ByeSignedOut means that the user has signed out. The user must sign in.
	ByeSignedOut Reason = "signed_out"
	// ByeExpired means that the token or cookie of the stream has expired. The client
	// reconnects once, because it may have been renewed; otherwise the user must sign in.
	ByeExpired Reason = "expired"
	// ByeStop asks the client not to reconnect.
	ByeStop Reason = "stop"
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

// The names of the frames that are not events of the vocabulary.
const (
	nameHello = "hello"
	nameGap   = "gap"
	nameBye   = "bye"
)

// helloJSON and byeJSON are the data of a Hello and a Bye. Durations are in
// milliseconds.
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

// AppendSSE appends a frame to b as one block of an event stream. It appends nothing for
// a FilterChanged or a Reply, which only WebSockets have.
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
	name, data := controlFrame(f)
	b = append(append(b, "event: "...), name...)
	b = append(append(b, "\ndata: "...), data...)
	return append(b, "\n\n"...)
}

// appendJSON appends the JSON of the event, with its cursor.
func (e *Event) appendJSON(b []byte) []byte {
	own := e.Event
	own.Cursor = e.Cursor.String()
	return own.AppendJSON(b)
}

// controlFrame returns the name and the data of a Hello, Gap or Bye.
func controlFrame(f Frame) (name string, data json.RawMessage) {
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

// appendID appends the line of a block that has the cursor.
func appendID(b []byte, c Cursor) []byte {
	b = append(b, "id: "...)
	b = append(b, c.String()...)
	return append(b, '\n')
}

// ParseMessage returns the frame of a decoded message. It returns nil without an error
// for an unknown event, because a newer broker may send more than this client knows. For
// an event of a known type that it cannot read it returns an *[Unreadable], or an error
// when the message has no cursor.
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
		return &Hello{at, h.Head, h.Oldest,
			milliseconds(h.Heartbeat), milliseconds(h.Retry), h.Connection, h.Grant}, nil
	case nameGap:
		var g Gap
		if err := json.Unmarshal(m.Data, &g); err != nil {
			return nil, fmt.Errorf("wire: gap: %w", err)
		}
		return &g, nil
	case nameBye:
		var b byeJSON
		if err := json.Unmarshal(m.Data, &b); err != nil {
			return nil, fmt.Errorf("wire: bye: %w", err)
		}
		return &Bye{b.Reason, milliseconds(b.Delay)}, nil
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

// Unreadable stands for an event of a known type that this build cannot read. The broker
// never writes it.
type Unreadable struct {
	// Cursor is the cursor of the event.
	Cursor Cursor
	// Err is the reason why ParseMessage could not read the event.
	Err error
}

// ReachedCursor implements Frame.
func (u *Unreadable) ReachedCursor() Cursor { return u.Cursor }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
