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

// Bounds of the control frames of a WebSocket. Continuations count as well, because they
// are not messages by themselves either. A client needs a few of them a minute.
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

// maxQueuedControlFrames is how many pings and pongs may wait to be sent. More are dropped:
// the queue grows only when the peer does not read.
const maxQueuedControlFrames = 8

// A meteredConn is the connection of a WebSocket. It counts the bytes that its peer
// receives and sends, by which the broker tells a slow peer from one that has left. It also
// bounds the control frames, and answers pings. The library would end the WebSocket if it
// could not write a pong within five seconds, but a slow peer may need longer for the data
// before the pong.
//
// One goroutine may read and one may write. Any goroutine may call the other methods.
type meteredConn struct {
	net.Conn

	bytesWritten atomic.Int64 // bytes that the peer's side of the connection has received
	bytesRead    atomic.Int64 // bytes that the peer has sent

	// controlQueue has the control frames that wait for the end of the frame that is being
	// written.
	controlQueue chan []byte

	writeMu  sync.Mutex  // held during each write; guards outgoing
	outgoing frameParser // finds the frames that are written

	// Owned by the goroutine that reads.
	source       io.Reader // the bytes that the HTTP server has read ahead, then the connection
	incoming     frameParser
	controlLimit *rate.Limiter // of control frames and continuations
	flooded      bool          // the limit has been exceeded
}

// newMeteredConn returns a meteredConn that reads from source and writes to conn.
func newMeteredConn(conn net.Conn, source io.Reader) *meteredConn {
	return &meteredConn{
		Conn:         conn,
		source:       source,
		incoming:     frameParser{hidePings: true},
		controlQueue: make(chan []byte, maxQueuedControlFrames),
		controlLimit: rate.NewLimiter(controlFramesPerSec, burstOfControlFrames),
	}
}

// Read implements net.Conn. It answers pings, and hides each ping from its caller: it
// changes the ping to an unsolicited pong, which has no effect. It returns errFlood when the
// peer has sent too many control frames.
func (c *meteredConn) Read(p []byte) (int, error) {
	if c.flooded {
		return 0, errFlood
	}
	n, err := c.source.Read(p)
	c.bytesRead.Add(int64(n))
	count := 0
	c.incoming.parse(p[:n], func(opcode byte, payload []byte) {
		if count++; opcode == opPing {
			c.send(opPong, payload)
		}
	})
	if !c.controlLimit.AllowN(time.Now(), count) {
		c.flooded = true
		return 0, errFlood
	}
	c.flush()
	return n, err
}

// Write implements net.Conn.
func (c *meteredConn) Write(p []byte) (int, error) {
	c.writeMu.Lock()
	n, err := c.Conn.Write(p)
	c.bytesWritten.Add(int64(n))
	c.outgoing.parse(p[:n], func(byte, []byte) {})
	c.writeMu.Unlock()
	c.flush()
	return n, err
}

// send queues a control frame with at most 125 bytes of payload. The caller must then call
// flush.
func (c *meteredConn) send(opcode byte, payload []byte) {
	const final = 0x80 // the bit FIN
	select {
	case c.controlQueue <- append([]byte{final | opcode, byte(len(payload))}, payload...):
	default:
	}
}

// flush writes the queued control frames. While another frame is being written it does
// nothing: the end of that write flushes them.
func (c *meteredConn) flush() {
	for len(c.controlQueue) > 0 && c.writeMu.TryLock() {
		atBoundary := c.outgoing.isAtBoundary()
		if atBoundary {
			select {
			case frame := <-c.controlQueue:
				_, _ = c.Conn.Write(frame) // if this fails, the next write of a message fails, too
			default:
			}
		}
		c.writeMu.Unlock()
		if !atBoundary {
			return
		}
	}
}

// ping sends a ping, which the peer must answer.
func (c *meteredConn) ping() {
	c.send(opPing, nil)
	c.flush()
}

// A frameParser finds the frames in the bytes of one direction (RFC 6455, section 5.2). It
// validates none of them: the library does. One goroutine uses it at a time.
type frameParser struct {
	hidePings bool // parse changes pings to pongs in its argument

	header      [14]byte // of the present frame
	headerLen   int      // the bytes of header so far; 0 between two frames
	payloadLeft uint64   // the bytes of payload still to come
	payload     []byte   // the payload of a control frame so far, unmasked
}

// maxControlPayload is the size limit of the payload of a control frame, in bytes.
const maxControlPayload = 125

// parse continues with the bytes p. It calls control at the end of each control frame and
// continuation. payload is valid during that call, and is empty for a continuation.
func (f *frameParser) parse(p []byte, control func(opcode byte, payload []byte)) {
	for len(p) > 0 {
		n := 1
		if f.payloadLeft > 0 {
			n = int(min(f.payloadLeft, uint64(len(p))))
			f.keepPayload(p[:n])
			f.payloadLeft -= uint64(n)
		} else {
			f.header[f.headerLen] = p[0]
			if f.headerLen == 0 && f.hidePings && p[0]&0x0f == opPing {
				p[0] ^= opPing ^ opPong
			}
			if f.headerLen++; f.headerLen >= 2 && f.headerLen == f.headerSize() {
				f.payloadLeft, f.payload = f.payloadLength(), f.payload[:0]
			}
		}
		p = p[n:]
		if f.headerLen < 2 || f.headerLen < f.headerSize() || f.payloadLeft > 0 {
			continue
		}
		f.headerLen = 0
		if opcode := f.header[0] & 0x0f; opcode == opContinuation || opcode >= opClose {
			control(opcode, f.payload)
		}
	}
}

// isAtBoundary reports whether the next byte begins a frame.
func (f *frameParser) isAtBoundary() bool { return f.headerLen == 0 }

// keepPayload appends p, a part of the present frame's payload, to f.payload, if the frame
// is a control frame of valid length.
func (f *frameParser) keepPayload(p []byte) {
	if f.header[0]&0x0f < opClose || f.payloadLength() > maxControlPayload {
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

// headerSize returns the size of the header in bytes. Its first two bytes must be there.
func (f *frameParser) headerSize() int {
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

// payloadLength returns the size of the payload in bytes. The header must be whole.
func (f *frameParser) payloadLength() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// A meteredWriter is the response writer of a WebSocket request. The connection that
// Hijack returns is a meteredConn.
type meteredWriter struct {
	http.ResponseWriter
	conn *meteredConn // nil before Hijack
}

// Hijack implements http.Hijacker.
func (w *meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead, _ := buffers.Reader.Peek(buffers.Reader.Buffered()) // cannot fail: these bytes are buffered
	w.conn = newMeteredConn(conn, io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn))
	buffers.Reader.Reset(w.conn)
	buffers.Writer.Reset(w.conn)
	return w.conn, buffers, nil
}
