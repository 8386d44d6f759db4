package wire

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// A Message is one block of an event stream.
type Message struct {
	Type        string // "message" where the stream names none
	Data        []byte
	LastEventID string        // the last id up to and including this block
	Retry       time.Duration // the last retry of this block, 0 for none
	Empty       bool          // no data: an EventSource fires no event, but the last id may have moved
}

// ErrTooLong ends a stream whose block exceeds the decoder's limit.
var ErrTooLong = errors.New("wire: block of the event stream is too long")

// DefaultMaxBlock is the limit of one block in bytes.
const DefaultMaxBlock = 4 << 20

// A Decoder reads an event stream piece by piece. The zero Decoder is ready.
// It is not safe for concurrent use.
type Decoder struct {
	MaxBlock int // bytes of one block; 0 is DefaultMaxBlock

	line    []byte // the unfinished line
	started bool   // the first line, which may have a byte order mark, is over
	sawCR   bool   // the last byte was CR: a LF that follows ends no line

	// the unfinished block
	data    []byte
	hasData bool
	kind    string
	retry   time.Duration
	touched bool // some field was read

	idBuffer string // takes effect when the block ends
	lastID   string
}

// LastEventID is what a reconnecting client sends.
func (d *Decoder) LastEventID() string { return d.lastID }

// Feed takes the next piece of the stream and hands every block that it
// completes to emit, in order. Message.Data is valid until the next call. The
// only error is ErrTooLong, after which the Decoder must not be used.
func (d *Decoder) Feed(piece []byte, emit func(Message)) error {
	limit := d.MaxBlock
	if limit == 0 {
		limit = DefaultMaxBlock
	}
	for len(piece) > 0 {
		if d.sawCR {
			d.sawCR = false
			if piece[0] == '\n' {
				piece = piece[1:]
				continue
			}
		}
		end := bytes.IndexAny(piece, "\r\n")
		if end < 0 {
			end = len(piece)
		}
		if len(d.line)+end+len(d.data) > limit {
			return ErrTooLong
		}
		if end == len(piece) {
			d.line = append(d.line, piece...)
			return nil
		}
		line := piece[:end]
		if len(d.line) > 0 {
			d.line = append(d.line, line...)
			line = d.line
		}
		d.sawCR = piece[end] == '\r'
		d.takeLine(line, emit)
		d.line = d.line[:0]
		piece = piece[end+1:]
	}
	return nil
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

func (d *Decoder) takeLine(line []byte, emit func(Message)) {
	if !d.started {
		d.started = true
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if len(line) == 0 {
		d.dispatch(emit)
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if d.hasData {
			d.data = append(d.data, '\n')
		}
		d.data = append(d.data, value...)
		d.hasData, d.touched = true, true
	case "event":
		d.kind, d.touched = string(value), true
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.idBuffer, d.touched = string(value), true
		}
	case "retry":
		if n, ok := digits(value); ok {
			d.retry, d.touched = time.Duration(n)*time.Millisecond, true
		}
	}
}

// maxRetry keeps a retry within what a time.Duration holds.
const maxRetry = 1 << 40

func digits(value []byte) (int64, bool) {
	if len(value) == 0 || len(bytes.Trim(value, "0123456789")) > 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n > maxRetry {
		n = maxRetry
	}
	return n, true
}

// dispatch ends a block. A block of comments alone is nothing; one with
// fields but no data is Empty.
func (d *Decoder) dispatch(emit func(Message)) {
	d.lastID = d.idBuffer
	if d.touched {
		m := Message{Type: d.kind, Data: d.data, LastEventID: d.lastID, Retry: d.retry, Empty: !d.hasData}
		if m.Type == "" {
			m.Type = "message"
		}
		emit(m)
	}
	d.data, d.hasData, d.kind, d.retry, d.touched = d.data[:0], false, "", 0, false
}
