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
	"sync"
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

// Opcodes of RFC 6455, section 5.2. Those from opClose on are control frames.
const (
	opContinuation = 0x0
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// waitingControlFrames is how many pings and pongs may wait to be sent. More
// wait only for a peer that does not read; they are dropped.
const waitingControlFrames = 8

// A meteredConn is the connection of a WebSocket. It counts the bytes that its
// peer receives and sends, by which the broker tells a slow peer from one that
// has gone. It also bounds and answers control frames. The library would give a pong five seconds and then end
// the WebSocket, but a slow peer may need longer for what is written before it. One
// goroutine may read and one may write; everything else may be called by any.
type meteredConn struct {
	net.Conn

	taken atomic.Int64 // bytes of whole writes that the peer's side has received
	heard atomic.Int64 // bytes that the peer has sent

	waiting chan []byte // control frames that go out at the next end of a frame

	writing sync.Mutex  // held for each write; guards out
	out     frameParser // of what is written

	// Owned by the goroutine that reads.
	in      io.Reader // the bytes that the HTTP server has read ahead, then the connection
	frames  frameParser
	limit   *rate.Limiter // of control frames and continuations
	flooded bool
}

func newMeteredConn(conn net.Conn, in io.Reader) *meteredConn {
	return &meteredConn{Conn: conn, in: in, frames: frameParser{hidePings: true},
		waiting: make(chan []byte, waitingControlFrames),
		limit:   rate.NewLimiter(controlFramesPerSec, burstOfControlFrames)}
}

// Read implements net.Conn. It answers pings, and gives each to its caller as an
// unsolicited pong, which has no effect.
func (c *meteredConn) Read(p []byte) (int, error) {
	if c.flooded {
		return 0, errFlood
	}
	n, err := c.in.Read(p)
	c.heard.Add(int64(n))
	count := 0
	c.frames.parse(p[:n], func(opcode byte, payload []byte) {
		if count++; opcode == opPing {
			c.send(opPong, payload)
		}
	})
	if !c.limit.AllowN(time.Now(), count) {
		c.flooded = true
		return 0, errFlood
	}
	c.flush()
	return n, err
}

// Write implements net.Conn.
func (c *meteredConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	n, err := c.Conn.Write(p)
	c.taken.Add(int64(n))
	c.out.parse(p[:n], func(byte, []byte) {})
	c.writing.Unlock()
	c.flush()
	return n, err
}

// send queues a control frame with at most 125 bytes of payload. flush must
// follow.
func (c *meteredConn) send(opcode byte, payload []byte) {
	const final = 0x80
	select {
	case c.waiting <- append([]byte{final | opcode, byte(len(payload))}, payload...):
	default:
	}
}

// flush writes the control frames that wait, unless a frame is being written:
// then the end of that write flushes them.
func (c *meteredConn) flush() {
	for len(c.waiting) > 0 && c.writing.TryLock() {
		between := c.out.between()
		if between {
			select {
			case frame := <-c.waiting:
				_, _ = c.Conn.Write(frame) // the next write of a message fails too
			default:
			}
		}
		c.writing.Unlock()
		if !between {
			return
		}
	}
}

// ping asks the peer for a sign of life.
func (c *meteredConn) ping() {
	c.send(opPing, nil)
	c.flush()
}

// A frameParser finds the frames in the bytes of one direction (RFC 6455,
// section 5.2). It judges none of them: the library does.
type frameParser struct {
	hidePings bool // parse makes pongs of pings in the bytes that it is given

	header  [14]byte // of the frame under way
	have    int      // bytes of it so far
	skip    uint64   // bytes of payload still to come
	payload []byte   // of a control frame so far, unmasked
}

// maxControlPayload is how many bytes of payload a control frame may have.
const maxControlPayload = 125

// parse goes on with some bytes. It calls control for each frame in them that is
// no message by itself, when it is whole; the payload is valid during the call.
func (f *frameParser) parse(p []byte, control func(opcode byte, payload []byte)) {
	for len(p) > 0 {
		n := 1
		if f.skip > 0 {
			n = int(min(f.skip, uint64(len(p))))
			f.keep(p[:n])
			f.skip -= uint64(n)
		} else {
			f.header[f.have] = p[0]
			if f.have == 0 && f.hidePings && p[0]&0x0f == opPing {
				p[0] ^= opPing ^ opPong
			}
			if f.have++; f.have >= 2 && f.have == f.size() {
				f.skip, f.payload = f.length(), f.payload[:0]
			}
		}
		p = p[n:]
		if f.have < 2 || f.have < f.size() || f.skip > 0 {
			continue
		}
		f.have = 0
		if opcode := f.header[0] & 0x0f; opcode == opContinuation || opcode >= opClose {
			control(opcode, f.payload)
		}
	}
}

// between tells whether the next byte begins a frame.
func (f *frameParser) between() bool { return f.have == 0 }

// keep takes a part of a payload, if it is that of a control frame.
func (f *frameParser) keep(p []byte) {
	if f.header[0]&0x0f < opClose || f.length() > maxControlPayload {
		return
	}
	mask := f.header[2:6]
	if f.header[1]&0x80 == 0 {
		mask = make([]byte, 4)
	}
	for _, b := range p {
		f.payload = append(f.payload, b^mask[len(f.payload)%4])
	}
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

// length returns the bytes of payload that a whole header announces.
func (f *frameParser) length() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// A meteringWriter is the response writer of a WebSocket request. Hijack makes
// its connection a meteredConn.
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
	w.conn = newMeteredConn(conn, io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn))
	buffers.Reader.Reset(w.conn)
	buffers.Writer.Reset(w.conn)
	return w.conn, buffers, nil
}
