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

// Format is how frames are written.
type Format int

// The formats.
const (
	SSE  Format = iota // blocks of an event stream
	JSON               // a line of JSON each: what messages of a WebSocket hold
)

// Append appends a frame in this format.
func (f Format) Append(b []byte, frame Frame) []byte {
	if f == JSON {
		return AppendJSON(b, frame)
	}
	return AppendSSE(b, frame)
}

// line is the JSON form of a frame, with the names of an event stream. A
// heartbeat is an id alone.
type line struct {
	ID    Cursor          `json:"id,omitzero"`
	Event string          `json:"event,omitempty"`
	Ref   string          `json:"ref,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// AppendJSON appends a frame as one line of JSON, with its line feed.
func AppendJSON(b []byte, f Frame) []byte {
	if e, ok := f.(*Event); ok { // by far the most; the rest need not be quick
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
		l.Event, l.Ref, l.Data = nameRefilter, f.Ref, encode(refilterJSON{f.Filter})
	default:
		l.Event, l.Data = control(f)
	}
	return append(append(b, encode(l)...), '\n')
}

// ParseJSON reads one line that AppendJSON wrote. As with ParseMessage, an
// unknown event is nil without an error.
func ParseJSON(raw []byte) (Frame, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("wire: line: %w", err)
	}
	switch l.Event {
	case namePong, namePublished, nameRefused:
		return &Reply{l.Event, l.Ref, l.Data}, nil
	case nameRefilter:
		var r refilterJSON
		if err := json.Unmarshal(l.Data, &r); err != nil {
			return nil, fmt.Errorf("wire: filter: %w", err)
		}
		return &FilterChanged{l.ID, l.Ref, r.Filter}, nil
	}
	return ParseMessage(Message{Type: l.Event, Data: l.Data, LastEventID: l.ID.String(), Empty: l.Event == ""})
}

// FilterChanged says that everything through Through went by the old filter of a
// WebSocket, and everything after it goes by the new one.
type FilterChanged struct {
	Through Cursor
	Ref     string // of the call that asked for it
	Filter  string // the new filter in its query form
}

// ReachedCursor implements Frame.
func (r *FilterChanged) ReachedCursor() Cursor { return r.Through }

// Reply answers a Call on a WebSocket. It stands in no order with the frames
// of the stream.
type Reply struct {
	Name string // pong, published or refused
	Ref  string // of the call
	Data json.RawMessage
}

// ReachedCursor implements Frame: a Reply moves nobody.
func (*Reply) ReachedCursor() Cursor { return Cursor{} }

// NewPong answers a ping.
func NewPong(ref string) *Reply { return &Reply{namePong, ref, nil} }

// NewPublished answers a publication with its receipt.
func NewPublished(ref string, receipt any) *Reply { return &Reply{namePublished, ref, encode(receipt)} }

// NewRefused answers a call that was refused, with a problem document.
func NewRefused(ref string, problem any) *Reply { return &Reply{nameRefused, ref, encode(problem)} }

const (
	nameRefilter  = "filter"
	namePong      = "pong"
	namePublished = "published"
	nameRefused   = "refused"
)

type refilterJSON struct {
	Filter string `json:"filter"`
}

// Subprotocol names these messages when a WebSocket is opened.
const Subprotocol = "yardline.v1"

// A Call is a message that a client sends over a WebSocket.
type Call struct {
	Call   string          `json:"call"`             // one of the Calls
	Ref    string          `json:"ref,omitempty"`    // comes back with the answer
	Token  string          `json:"token,omitempty"`  // of auth
	Filter string          `json:"filter,omitempty"` // of filter, in its query form
	Event  json.RawMessage `json:"event,omitempty"`  // of publish
	Strict bool            `json:"strict,omitempty"` // of publish
}

// The calls. Auth is the first message of a client that could not say who it
// is when it opened the WebSocket, and of nobody else.
const (
	CallAuth    = "auth"
	CallFilter  = "filter"
	CallPublish = "publish"
	CallPing    = "ping"
)

const maxRef = 64

// ErrCall means that a message is no Call.
var ErrCall = errors.New(`wire: not a call such as {"call":"ping","ref":"1"}`)

// ErrUTF8 means that a text message is not valid UTF-8 (RFC 6455, 8.1).
var ErrUTF8 = errors.New("wire: not valid UTF-8")

// ParseCall reads a message. It judges the form alone: what an event or a
// filter may hold is judged where it is used. The Ref is
// returned with the error, as far as there is one.
func ParseCall(raw []byte) (Call, error) {
	var c Call
	if !utf8.Valid(raw) {
		return c, ErrUTF8
	}
	raw, _ = event.TrimByteOrderMark(raw) // it is valid UTF-8, so it is not in UTF-16
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var known struct {
			Ref string `json:"ref"`
		}
		_ = json.Unmarshal(raw, &known) // what is no JSON has no ref
		return Call{Ref: shorten(known.Ref)}, fmt.Errorf("%w: %w", ErrCall, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(c.Ref) > maxRef {
		return Call{Ref: shorten(c.Ref)}, ErrCall
	}
	switch c.Call {
	case CallAuth, CallFilter, CallPublish, CallPing:
		return c, nil
	}
	return Call{Ref: c.Ref}, ErrCall
}

// shorten is a ref, or none where it is too long to be one.
func shorten(ref string) string {
	if len(ref) > maxRef {
		return ""
	}
	return ref
}

// closeCodes are those by which a WebSocket is closed (RFC 6455, 7.4.2: from
// 4000 on they are an application's own).
var closeCodes = map[Reason]int{
	ByeRetry: 4000, ByeSlow: 4001, ByeDrain: 4002, ByeRegrant: 4003, ByeSignedOut: 4004, ByeExpired: 4005, ByeStop: 4006,
}

// CloseCode is the WebSocket close code that mirrors a reason.
func (r Reason) CloseCode() int { return closeCodes[r] }

// RefusalCloseCode is the close code of a WebSocket that was refused after it had
// been opened, for the status of its problem document.
func RefusalCloseCode(status int) int { return 4000 + status }

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs always marshal
	}
	return raw
}
