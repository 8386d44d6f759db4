package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/snd-rental/yardline/shared/event"
)

// Format is a form in which the broker writes frames.
type Format int

// The formats.
const (
	SSE  Format = iota // each frame is a block of an event stream
	JSON               // each frame is a line of JSON in a WebSocket message
)

// Append appends a frame to b in this format.
func (f Format) Append(b []byte, frame Frame) []byte {
	if f == JSON {
		return AppendJSON(b, frame)
	}
	return AppendSSE(b, frame)
}

// A line is the JSON form of a frame. Its names are those of the fields of an event
// stream. A heartbeat has an id only.
type line struct {
	ID    Cursor          `json:"id,omitzero"`
	Event string          `json:"event,omitempty"`
	Ref   string          `json:"ref,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// AppendJSON appends a frame to b as one line of JSON, with its line feed.
func AppendJSON(b []byte, f Frame) []byte {
	if e, ok := f.(*Event); ok { // most frames are events, so these are written without reflection
		b = append(append(b, `{"id":"`...), e.Cursor.String()...)
		b = append(append(b, `","event":"`...), e.Event.Type...)
		b = append(b, `","data":`...)
		return append(e.appendJSON(b), "}\n"...)
	}
	l := line{ID: f.ReachedCursor()}
	switch f := f.(type) {
	case *Heartbeat:
	case *Reply:
		l.Event, l.Ref, l.Data = f.Name, f.Ref, f.Data
	case *FilterChanged:
		l.Event, l.Ref, l.Data = nameFilterChanged, f.Ref, encode(filterChangedJSON{f.Filter})
	default:
		l.Event, l.Data = controlFrame(f)
	}
	return append(append(b, encode(l)...), '\n')
}

// ParseJSON reads one line that AppendJSON wrote. It treats unknown and unreadable
// events like [ParseMessage].
func ParseJSON(raw []byte) (Frame, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("wire: line: %w", err)
	}
	switch l.Event {
	case namePong, namePublished, nameRefused:
		return &Reply{l.Event, l.Ref, l.Data}, nil
	case nameFilterChanged:
		var r filterChangedJSON
		if err := json.Unmarshal(l.Data, &r); err != nil {
			return nil, fmt.Errorf("wire: filter: %w", err)
		}
		return &FilterChanged{l.ID, l.Ref, r.Filter}, nil
	}
	return ParseMessage(Message{Type: l.Event, Data: l.Data, LastEventID: l.ID.String(), Empty: l.Event == ""})
}

// FilterChanged says where the filter of a WebSocket changes: every event up to and
// including Through was chosen by the old filter, and every event after it is chosen by
// the new one.
type FilterChanged struct {
	Through Cursor
	Ref     string // the Ref of the Call that changed the filter
	Filter  string // the new filter in its query form
}

// ReachedCursor implements [Frame].
func (c *FilterChanged) ReachedCursor() Cursor { return c.Through }

// Reply answers a [Call] on a WebSocket. It may come between any two frames of the
// stream.
type Reply struct {
	Name string          // pong, published or refused
	Ref  string          // the Ref of the Call
	Data json.RawMessage // a receipt, a problem document, or nil
}

// ReachedCursor implements [Frame]. A Reply does not move the reader.
func (*Reply) ReachedCursor() Cursor { return Cursor{} }

// NewPong returns the answer to a ping.
func NewPong(ref string) *Reply { return &Reply{namePong, ref, nil} }

// NewPublished returns the answer to a publication, with its receipt. It panics when the
// receipt does not marshal to JSON.
func NewPublished(ref string, receipt any) *Reply {
	return &Reply{namePublished, ref, encode(receipt)}
}

// NewRefused returns the answer to a call that the broker refuses, with a problem
// document. It panics when the document does not marshal to JSON.
func NewRefused(ref string, problem any) *Reply {
	return &Reply{nameRefused, ref, encode(problem)}
}

// The names of the frames that only WebSockets have.
const (
	nameFilterChanged = "filter"
	namePong          = "pong"
	namePublished     = "published"
	nameRefused       = "refused"
)

// filterChangedJSON is the data of a FilterChanged.
type filterChangedJSON struct {
	Filter string `json:"filter"`
}

// Subprotocol is the subprotocol of WebSockets that carry these messages.
const Subprotocol = "yardline.v1"

// A Call is a message that a client sends over a WebSocket.
type Call struct {
	// Call is the name of the call: CallAuth, CallFilter, CallPublish or CallPing.
	Call string `json:"call"`
	// Ref comes back with the answer. It has at most 64 bytes.
	Ref string `json:"ref,omitempty"`
	// Token is the bearer token of auth.
	Token string `json:"token,omitempty"`
	// Filter is the new filter of filter, in its query form.
	Filter string `json:"filter,omitempty"`
	// Event is the event of publish.
	Event json.RawMessage `json:"event,omitempty"`
	// Strict makes publish validate the event in strict mode. See [event.Rules].
	Strict bool `json:"strict,omitempty"`
}

// The names of the calls.
const (
	// CallAuth signs in. Only a client whose handshake had no credentials sends it, as its
	// first message.
	CallAuth = "auth"
	// CallFilter changes the filter of the stream.
	CallFilter = "filter"
	// CallPublish publishes an event.
	CallPublish = "publish"
	// CallPing asks for a pong.
	CallPing = "ping"
)

// maxRef is the length of a Ref, in bytes.
const maxRef = 64

// ErrCall means that a message is not a [Call].
var ErrCall = errors.New(`wire: not a call such as {"call":"ping","ref":"1"}`)

// ErrUTF8 means that a text message is not valid UTF-8 (RFC 6455, section 8.1).
var ErrUTF8 = errors.New("wire: not valid UTF-8")

// ParseCall reads a message. It checks the form of the call, but neither the event nor
// the filter. The error is ErrUTF8, or wraps ErrCall. With an error, the Call has nothing
// but the Ref, if the message has a valid one.
func ParseCall(raw []byte) (Call, error) {
	var c Call
	if !utf8.Valid(raw) {
		return c, ErrUTF8
	}
	raw, _ = event.TrimByteOrderMark(raw) // valid UTF-8 is never UTF-16, so there is no error
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var known struct {
			Ref string `json:"ref"`
		}
		_ = json.Unmarshal(raw, &known) // text that is not JSON has no ref
		return Call{Ref: validRef(known.Ref)}, fmt.Errorf("%w: %w", ErrCall, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(c.Ref) > maxRef {
		return Call{Ref: validRef(c.Ref)}, ErrCall
	}
	switch c.Call {
	case CallAuth, CallFilter, CallPublish, CallPing:
		return c, nil
	}
	return Call{Ref: c.Ref}, ErrCall
}

// validRef returns the ref, or "" for one that is too long.
func validRef(ref string) string {
	if len(ref) > maxRef {
		return ""
	}
	return ref
}

// closeCodes has the code with which the broker closes a WebSocket after a Bye. Codes
// from 4000 on belong to the application (RFC 6455, section 7.4.2).
var closeCodes = map[Reason]int{
	ByeRetry:     4000,
	ByeSlow:      4001,
	ByeDrain:     4002,
	ByeRegrant:   4003,
	ByeSignedOut: 4004,
	ByeExpired:   4005,
	ByeStop:      4006,
}

// CloseCode returns the close code of a WebSocket for the reason, or 0 for an unknown
// reason.
func (r Reason) CloseCode() int { return closeCodes[r] }

// RefusalCloseCode returns the close code of a WebSocket that the broker refuses after
// it was opened. status is the HTTP status of the problem.
func RefusalCloseCode(status int) int { return 4000 + status }

// encode returns the JSON of a value that always marshals. It panics otherwise.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
