//go:build !js

package httpapi

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of the frames of a WebSocket that are no message by themselves: pings,
// pongs and continuations. A client needs a few a minute.
const (
	controlFramesPerSec  = 10
	burstOfControlFrames = 100
)

// errFlood is the error of a read after too many control frames.
var errFlood = errors.New("httpapi: too many control frames")

// A meteredConn is the connection of a WebSocket. It counts what its peer takes
// and sends, which tells a slow peer from one that has gone, and it bounds
// control frames, which the WebSocket library answers without asking anybody. One
// goroutine may read while another one writes; the counters may be read by any.
type meteredConn struct {
	net.Conn

	taken atomic.Int64 // bytes that the peer's side has taken, of whole writes
	heard atomic.Int64 // bytes that the peer has sent

	// Owned by the goroutine that reads.
	in      io.Reader // what the HTTP server has read ahead, then the connection
	frames  frameParser
	control *rate.Limiter
	flooded bool
}

// Read implements net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	if c.flooded {
		return 0, errFlood
	}
	n, err := c.in.Read(p)
	c.heard.Add(int64(n))
	if !c.control.AllowN(time.Now(), c.frames.parse(p[:n])) {
		c.flooded = true
		return 0, errFlood
	}
	return n, err
}

// Write implements net.Conn.
func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.taken.Add(int64(n))
	return n, err
}

// A frameParser finds the frames in the bytes that a peer sends (RFC 6455,
// section 5.2). It judges none of them: the library does.
type frameParser struct {
	header [14]byte // of the frame that begins
	have   int      // bytes of it so far
	skip   uint64   // bytes of payload still to come
}

// parse goes on with what has arrived and returns how many frames in it are no
// message by themselves.
func (f *frameParser) parse(p []byte) (control int) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, uint64(len(p)))
			f.skip -= n
			p = p[n:]
			continue
		}
		f.header[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have < 2 || f.have < f.size() {
			continue
		}
		f.have = 0
		f.skip = f.payload()
		const opContinuation, opControl = 0, 8 // the least opcode of control frames
		if opcode := f.header[0] & 0x0f; opcode == opContinuation || opcode >= opControl {
			control++
		}
	}
	return control
}

// size returns the bytes of the header, whose first two must be there.
func (f *frameParser) size() int {
	size := 2
	switch f.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if masked := f.header[1]&0x80 != 0; masked {
		size += 4
	}
	return size
}

// payload returns the bytes of payload that a whole header announces.
func (f *frameParser) payload() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// A meteringWriter is the answer that a WebSocket is made of. Its connection is
// metered once it is taken over.
type meteringWriter struct {
	http.ResponseWriter
	conn *meteredConn // nil before Hijack
}

// Hijack implements http.Hijacker.
func (w *meteringWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, _ := buffers.Reader.Peek(buffers.Reader.Buffered()) // it is there
	w.conn = &meteredConn{Conn: conn, in: io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn),
		control: rate.NewLimiter(controlFramesPerSec, burstOfControlFrames)}
	buffers.Reader.Reset(w.conn)
	buffers.Writer.Reset(w.conn)
	return w.conn, buffers, nil
}
