package bench

import "errors"

// errChunk is the error of a body whose chunks are malformed.
var errChunk = errors.New("the server's answer has a malformed chunk")

// chunkDecoder removes the heads and tails of the chunks of an HTTP/1.1 body that arrives
// in parts. Its zero value is at the begin of a body.
type chunkDecoder struct {
	state     chunkState
	left      int  // bytes of the chunk that are still to come
	hasDigits bool // the head has a digit
	ended     bool // the last chunk has begun
}

// chunkState is what a chunkDecoder expects next.
type chunkState uint8

const (
	chunkSize      chunkState = iota // a digit of the chunk's size
	chunkExtension                   // the rest of the head's line
	chunkData                        // bytes of the body
	chunkTail                        // the line's end behind the data
)

// decode removes heads and tails from b, in place, and returns the body's bytes in b.
func (d *chunkDecoder) decode(b []byte) ([]byte, error) {
	kept := 0
	for i := 0; i < len(b) && !d.ended; {
		if d.state == chunkData {
			n := min(d.left, len(b)-i)
			copy(b[kept:], b[i:i+n])
			kept, i, d.left = kept+n, i+n, d.left-n
			if d.left == 0 {
				d.state = chunkTail
			}
			continue
		}
		if err := d.decodeFrame(b[i]); err != nil {
			return nil, err
		}
		i++
	}
	return b[:kept], nil
}

// decodeFrame handles a byte of a head or of a tail.
func (d *chunkDecoder) decodeFrame(c byte) error {
	switch {
	case c == '\n' && d.state == chunkTail:
		d.state = chunkSize
	case c == '\r':
	case d.state == chunkTail:
		return errChunk
	case c == '\n':
		if !d.hasDigits {
			return errChunk
		}
		d.ended, d.hasDigits, d.state = d.left == 0, false, chunkData
	case c == ';' || d.state == chunkExtension:
		d.state = chunkExtension
	default:
		digit, isDigit := hexDigit(c)
		if !isDigit || d.left > 1<<26 {
			return errChunk
		}
		d.left, d.hasDigits = d.left<<4|digit, true
	}
	return nil
}

// hexDigit returns the value of a hexadecimal digit.
func hexDigit(c byte) (int, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0'), true
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}
