package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Stream is one connection of a Writer.
type Stream struct {
	shard   *shard
	aborted atomic.Bool // Abort was called
	isCut   atomic.Bool // the peer has left, or all streams must end
	isWoken bool        // guarded by shard.mu: the stream is in the inbox

	// The owner has the following fields.
	sub          *hub.Subscriber
	fd           int
	isChunked    bool
	writeTimeout time.Duration
	ended        func(error)

	head   []byte // the head of the response; nil once it is sent
	unsent []byte // frames that Poll has returned; nil when all are sent
	sent   int    // number of bytes of the present chunk that are sent, with head
	bye    error  // the *hub.ClosedError once the goodbye is in unsent
	err    error  // the reason of the end, or nil

	blockedSince time.Time // when the present chunk did not fit into the socket, or zero
	result       outcome   // of the last pump
	seenChanges  int64     // number of changes of the hub before the last pump

	// Only the shard's goroutine uses the following fields, also while another
	// goroutine owns the stream.
	slot     int32  // index in shard.streams, noSlot or goneSlot
	place    int    // index in group.members
	group    *group // nil without a view
	isLent   bool   // a worker is the owner
	mustLook bool   // something happened while the shard was not the owner
}

// The slots of a stream that its shard does not know yet, and of one that it has
// forgotten.
const (
	noSlot   = -1
	goneSlot = -2
)

// closedFD is the descriptor of a stream that is closed or has not started.
const closedFD = -1

// NewStream returns a stream that has no connection yet.
func (w *Writer) NewStream() *Stream {
	return &Stream{shard: w.shards[w.next.Add(1)%uint32(len(w.shards))], slot: noSlot, fd: closedFD}
}

// Wake makes the stream look for something to write. Any goroutine may call it.
func (st *Stream) Wake() { st.shard.wake(st) }

// Abort ends the stream without a goodbye. Any goroutine may call it.
func (st *Stream) Abort() {
	st.aborted.Store(true)
	st.Wake()
}

// Start takes over a connection, writes the head of the response and the frames
// of sub to it, and closes it at the end. When Start returns an error, it has
// closed conn and does not call r.Ended.
func (st *Stream) Start(conn net.Conn, sub *hub.Subscriber, r Response) error {
	fd, err := takeDescriptor(conn)
	if err != nil {
		return err
	}
	st.fd, st.sub, st.head, st.isChunked = fd, sub, r.Head, r.IsChunked
	st.writeTimeout, st.ended = r.WriteTimeout, r.Ended
	st.shard.writer.crowd.count()
	var f framer
	st.pump(&f)
	st.shard.give(st)
	return nil
}

// takeDescriptor returns a descriptor of a connection, and removes the
// connection from Go's network poller. It closes conn in any case.
func takeDescriptor(conn net.Conn) (fd int, err error) {
	fd = closedFD
	defer func() {
		// The new descriptor keeps the connection open.
		if closeErr := conn.Close(); closeErr != nil && fd != closedFD {
			_ = unix.Close(fd)
			fd, err = closedFD, closeErr
		}
	}()
	c, ok := conn.(syscall.Conn)
	if !ok {
		return closedFD, fmt.Errorf("fanout: %T has no descriptor", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return closedFD, fmt.Errorf("fanout: %w", err)
	}
	var dupErr error
	err = raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return closedFD, fmt.Errorf("fanout: %w", err)
	}
	return fd, nil
}

// An outcome tells why pump has returned.
type outcome int8

const (
	isIdle    outcome = iota // there is nothing to write
	isBlocked                // the socket is full
	isBehind                 // the next events must be read from the log
	hasMore                  // the limit of chunks is reached
	hasEnded                 // the stream is over
)

// maxChunks is the number of chunks that an owner writes before other streams
// have their turn.
const maxChunks = 8

// end notes the reason of the end, unless there is one.
func (st *Stream) end(err error) {
	if st.err == nil {
		st.err = err
	}
}

// mustEnd reports whether the stream must end without a goodbye. Any goroutine
// may call it.
func (st *Stream) mustEnd() bool { return st.aborted.Load() || st.isCut.Load() }

// pump writes at most maxChunks chunks, and sets result. Only the owner calls it.
func (st *Stream) pump(f *framer) {
	st.seenChanges = st.shard.writer.changes.Load()
	for range maxChunks {
		switch {
		case st.aborted.Load():
			st.end(os.ErrDeadlineExceeded)
		case st.isCut.Load():
			st.end(context.Canceled)
		}
		if st.unsent == nil && st.err == nil {
			if st.result = st.poll(); st.result == isIdle || st.result == isBehind {
				return
			}
		}
		if st.err != nil {
			st.result = hasEnded
			return
		}
		isWhole, err := st.write(f)
		if err != nil {
			st.end(err)
		} else if !isWhole {
			st.result = isBlocked
			return
		}
	}
	st.result = hasMore
}

// poll gets the next frames, or sets the reason of the end. The result is hasMore
// if there are any frames.
func (st *Stream) poll() outcome {
	if st.bye != nil { // the goodbye is sent
		st.end(st.bye)
		return hasEnded
	}
	frames, err := st.sub.Poll()
	switch {
	case err == nil && len(frames) == 0:
		return isIdle
	case err == nil:
		st.unsent = frames
		return hasMore
	case errors.Is(err, hub.ErrBehindRing):
		return isBehind
	}
	var closed *hub.ClosedError
	if !errors.As(err, &closed) || closed.Bye.Reason == wire.ByeSlow {
		st.end(err) // a slow peer does not receive even the frames before the goodbye
		return hasEnded
	}
	st.bye, st.unsent = closed, st.sub.Goodbye(closed)
	return hasMore
}

// maxChunk is the size limit of a chunk's data, in bytes.
const maxChunk = 64 << 10

// write writes the next chunk of unsent, or the rest of a chunk. isWhole is
// false when the socket is full.
func (st *Stream) write(f *framer) (isWhole bool, err error) {
	data := st.unsent[:min(maxChunk, len(st.unsent))]
	isLast := st.bye != nil && len(data) == len(st.unsent)
	chunk := data
	if st.isChunked {
		chunk = f.chunk(st.head, data, isLast)
	} else if st.head != nil {
		chunk = slices.Concat(st.head, data)
	}
	for st.sent < len(chunk) {
		n, err := unix.Write(st.fd, chunk[st.sent:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			if st.blockedSince.IsZero() {
				st.blockedSince = time.Now()
			}
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, os.NewSyscallError("write", err)
		}
		st.sent += n
	}
	st.head, st.sent, st.unsent = nil, 0, st.unsent[len(data):]
	st.blockedSince = time.Time{}
	if len(st.unsent) == 0 {
		st.unsent = nil
		st.sub.MarkWritten()
	}
	return true, nil
}

// close closes the connection and reports the end.
func (st *Stream) close() {
	// The kernel would reset the connection, and the peer could lose the
	// goodbye, if bytes were left that nobody has read.
	var ignored [512]byte
	for range 64 {
		if n, err := unix.Read(st.fd, ignored[:]); n <= 0 || err != nil {
			break
		}
	}
	_ = unix.Close(st.fd) // nothing can be done about an error
	st.fd = closedFD
	st.ended(st.err)
}

// A framer makes chunks of HTTP/1.1 (RFC 9112, section 7.1). It remembers the
// last one, because the next stream usually gets the same bytes.
type framer struct {
	buffer []byte
	first  *byte // address of the data of the chunk in buffer, or nil
	size   int   // size of the data of the chunk in buffer
}

// lastChunk ends a body.
const lastChunk = "0\r\n\r\n"

// chunk returns data as a chunk, after head. isLast adds the end of the body.
// The result is valid until the next call. data must not be empty.
func (f *framer) chunk(head, data []byte, isLast bool) []byte {
	isShared := head == nil && !isLast
	if isShared && f.first == &data[0] && f.size == len(data) {
		return f.buffer
	}
	f.buffer = append(f.buffer[:0], head...)
	f.buffer = fmt.Appendf(f.buffer, "%x\r\n", len(data))
	f.buffer = append(f.buffer, data...)
	f.buffer = append(f.buffer, "\r\n"...)
	if isLast {
		f.buffer = append(f.buffer, lastChunk...)
	}
	if f.first = nil; isShared {
		f.first, f.size = &data[0], len(data)
	}
	return f.buffer
}
