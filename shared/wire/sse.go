package wire

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// A Message is one block of an event stream.
type Message struct {
	// Type is the block's event. Defaults to "message".
	Type string
	// Data is the block's data, its lines joined by line feeds.
	Data []byte
	// LastEventID is the last id of the stream, up to and including this block.
	LastEventID string
	// Retry is the last retry of this block. 0 means that it has none.
	Retry time.Duration
	// Empty means that the block has no data. An EventSource fires no event for it, but
	// LastEventID may have changed.
	Empty bool
}

// ErrTooLong means that a block of the stream is longer than the decoder's limit.
var ErrTooLong = errors.New("wire: block of the event stream is too long")

// DefaultMaxBlock is the default limit of one block, in bytes.
const DefaultMaxBlock = 4 << 20

// A Decoder reads an event stream piece by piece. The zero Decoder is ready to use. It is
// not safe for concurrent use.
type Decoder struct {
	// MaxBlock is the limit of one block, in bytes. 0 means [DefaultMaxBlock].
	MaxBlock int

	line    []byte // the bytes of the unfinished line so far
	started bool   // the first line, which may have a byte order mark, has ended
	sawCR   bool   // the last byte was a CR, so that a LF after it ends no line

	// The unfinished block.
	data     []byte
	hasData  bool
	kind     string
	retry    time.Duration
	hasField bool // the block has a field that the decoder knows

	idBuffer string // becomes lastID when the block ends
	lastID   string
}

// LastEventID returns the id that a client sends when it reconnects: the id of the last
// finished block.
func (d *Decoder) LastEventID() string { return d.lastID }

// Feed reads the next piece of the stream. It calls emit for every block that the piece
// completes, in order. Message.Data is valid until emit returns. The only error is
// [ErrTooLong]; after it, the Decoder must not be used.
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
		d.readLine(line, emit)
		d.line = d.line[:0]
		piece = piece[end+1:]
	}
	return nil
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

// readLine reads one line. An empty line ends the block.
func (d *Decoder) readLine(line []byte, emit func(Message)) {
	if !d.started {
		d.started = true
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if len(line) == 0 {
		d.endBlock(emit)
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
		d.hasData, d.hasField = true, true
	case "event":
		d.kind, d.hasField = string(value), true
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.idBuffer, d.hasField = string(value), true
		}
	case "retry":
		if n, ok := parseDigits(value); ok {
			d.retry, d.hasField = time.Duration(n)*time.Millisecond, true
		}
	}
}

// maxRetry is the largest retry, in milliseconds. A time.Duration can hold it.
const maxRetry = 1 << 40

// parseDigits reads a number of ASCII digits. ok is false for any other text.
func parseDigits(value []byte) (n int64, ok bool) {
	if len(value) == 0 || len(bytes.Trim(value, "0123456789")) > 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n > maxRetry {
		n = maxRetry
	}
	return n, true
}

// endBlock emits the block. It emits nothing for a block of comments.
func (d *Decoder) endBlock(emit func(Message)) {
	d.lastID = d.idBuffer
	if d.hasField {
		m := Message{Type: d.kind, Data: d.data, LastEventID: d.lastID, Retry: d.retry, Empty: !d.hasData}
		if m.Type == "" {
			m.Type = "message"
		}
		emit(m)
	}
	d.data, d.hasData, d.kind, d.retry, d.hasField = d.data[:0], false, "", 0, false
}
