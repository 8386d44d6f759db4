package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// stream is a subscriber that the reader's thread reads.
type stream struct {
	number int // its place in reader.streams
	fd     int
	kind   streamKind
	state  streamState
	head   []byte // of the answer, until all of it has arrived
	chunks *chunkDecoder
	rest   []byte // the end of the last part, which may be the begin of a mark

	receipts *receipts // nil if only the bytes count
}

// streamState is how far a stream is.
type streamState uint8

const (
	connecting streamState = iota
	waitingForHead
	open
	closed
)

// Sizes and times of the reader.
const (
	maxConnecting = 128                    // streams that are being opened at once
	maxHead       = 64 << 10               // bytes of an answer's head
	slowPause     = 100 * time.Millisecond // between two reads of a slow stream
	slowBytes     = 102                    // that a slow stream reads after each pause
)

// reader reads all streams in one thread.
type reader struct {
	*run
	target   unix.Sockaddr
	epoll    int
	buffer   []byte
	joined   []byte // the rest of a stream's last part and its new part
	streams  []*stream
	slow     []*stream
	wanted   []streamKind // of the streams to open
	first    int          // the number of the first stream among all of the run
	opening  int
	slowAt   time.Time // when the slow streams read next
	draining bool      // the slow and stalled streams are read as they come
	arrivals arrivals
}

// newReader returns a reader that will open the given streams. The caller must call loop.
func newReader(r *run, target unix.Sockaddr, first int, wanted []streamKind) (*reader, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening an epoll: %w", err)
	}
	return &reader{run: r, target: target, epoll: epoll, buffer: make([]byte, 256<<10), first: first, wanted: wanted,
		streams: make([]*stream, 0, len(wanted))}, nil
}

// loop opens the streams and reads them until ctx ends. It returns an error if a stream
// cannot be opened. It closes all streams at its end.
func (r *reader) loop(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer r.close()
	events := make([]unix.EpollEvent, 1024)
	for ctx.Err() == nil {
		if err := r.openMore(); err != nil {
			return err
		}
		n, err := unix.EpollWait(r.epoll, events, int(slowPause.Milliseconds())/2)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for streams: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if err := r.handle(r.streams[e.Fd], e.Events); err != nil {
				return err
			}
		}
		if err := r.readSlow(time.Now()); err != nil {
			return err
		}
		if r.counters.draining.Load() && !r.draining {
			if err := r.drain(); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain begins to read the slow and stalled streams as they come.
func (r *reader) drain() error {
	r.draining, r.slow = true, nil
	for _, s := range r.streams {
		if s.kind == subscriberStream || s.state != open {
			continue
		}
		if err := r.watch(unix.EPOLL_CTL_MOD, s, unix.EPOLLIN); err != nil {
			return err
		}
	}
	return nil
}

// close closes all streams.
func (r *reader) close() {
	for _, s := range r.streams {
		if s.state != closed {
			unix.Close(s.fd)
		}
	}
	unix.Close(r.epoll)
}

// openMore begins to open streams until as many are being opened as may be at once.
func (r *reader) openMore() error {
	for r.opening < maxConnecting && len(r.streams) < len(r.wanted) {
		s := &stream{number: len(r.streams), kind: r.wanted[len(r.streams)]}
		var err error
		if s.fd, err = connect(r.target, r.sourceOf(r.first+s.number), s.kind); err != nil {
			return err
		}
		r.streams = append(r.streams, s)
		r.opening++
		if s.kind == subscriberStream {
			s.receipts = newReceipts(r.schedule)
		}
		if err := r.watch(unix.EPOLL_CTL_ADD, s, unix.EPOLLOUT); err != nil {
			return err
		}
	}
	return nil
}

// watch tells epoll which events of a stream to report.
func (r *reader) watch(operation int, s *stream, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(s.number)}
	if err := unix.EpollCtl(r.epoll, operation, s.fd, &e); err != nil {
		return fmt.Errorf("watching a stream: %w", err)
	}
	return nil
}

// handle handles the events of a stream.
func (r *reader) handle(s *stream, events uint32) error {
	switch {
	case s.state == closed:
		return nil
	case s.state == connecting:
		return r.sendRequest(s)
	case s.state == open && s.kind != subscriberStream && !r.draining:
		r.countClosed(s) // only the end of a connection is reported for them
		return nil
	default:
		return r.read(s, r.buffer, time.Now())
	}
}

// sendRequest sends the request of a stream whose connection is established.
func (r *reader) sendRequest(s *stream) error {
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err == nil {
		_, err = unix.Write(s.fd, r.requests[(r.first+s.number)%len(r.requests)])
	}
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	s.state = waitingForHead
	if s.kind == stalledStream {
		r.countOpened(s)
		return r.watch(unix.EPOLL_CTL_MOD, s, unix.EPOLLRDHUP)
	}
	return r.watch(unix.EPOLL_CTL_MOD, s, unix.EPOLLIN)
}

// read reads once from a stream.
func (r *reader) read(s *stream, buffer []byte, now time.Time) error {
	n, err := unix.Read(s.fd, buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case s.state != open && (err != nil || n == 0):
		return fmt.Errorf("the server closed a connection before it answered: %w", errors.Join(err, errNoAnswer))
	case err != nil || n == 0:
		r.countClosed(s)
		return nil
	}
	b := buffer[:n]
	switch {
	case s.kind == subscriberStream:
		r.counters.bytes.Add(int64(n))
	case r.draining:
		r.counters.drained.Add(int64(n))
	}
	if s.state == waitingForHead {
		if b, err = r.readHead(s, b); err != nil {
			return err
		}
	}
	if r.draining && s.kind != subscriberStream {
		r.findEnd(s, b)
		return nil
	}
	if s.receipts == nil || len(b) == 0 {
		return nil // a compressed stream that is not decoded, or no part of a body
	}
	return r.readBody(s, b, now)
}

// errNoAnswer is the error of a connection that ended early.
var errNoAnswer = errors.New("no answer")

// readHead reads a part of an answer's head. It returns the begin of the body, if it is
// in the part.
func (r *reader) readHead(s *stream, b []byte) ([]byte, error) {
	s.head = append(s.head, b...)
	end := bytes.Index(s.head, []byte("\r\n\r\n"))
	if end < 0 && len(s.head) < maxHead {
		return nil, nil
	}
	head, err := parseStreamHead(s.head)
	if err != nil {
		return nil, err
	}
	body := s.head[end+4:]
	s.head = nil
	if head.isChunked {
		s.chunks = new(chunkDecoder)
	}
	if head.isGzip && s.receipts != nil {
		r.counters.gzip.Store(true)
		s.receipts = nil
	}
	r.countOpened(s)
	if s.kind == slowStream {
		r.slow = append(r.slow, s)
		return nil, r.watch(unix.EPOLL_CTL_MOD, s, 0)
	}
	return body, nil
}

// readBody reads a part of a body and counts the events in it.
func (r *reader) readBody(s *stream, b []byte, now time.Time) (err error) {
	if s.chunks != nil {
		if b, err = s.chunks.decode(b); err != nil {
			return err
		}
	}
	if len(s.rest) > 0 {
		r.joined = append(append(r.joined[:0], s.rest...), b...)
		b = r.joined
	}
	received, at := int64(0), now.UnixNano()
	rest := r.marker.find(b, func(number int, sent int64) {
		if s.receipts.record(number, at-sent, &r.arrivals) {
			received++
		}
	})
	s.rest = append(s.rest[:0], rest...)
	r.counters.countDelivered(received)
	if s.chunks != nil && s.chunks.ended {
		r.countClosed(s)
	}
	return nil
}

// findEnd counts a drained stream as closed if b has the end of its body: the connection
// may stay open behind it.
func (r *reader) findEnd(s *stream, b []byte) {
	if bytes.HasSuffix(b, []byte("\r\n0\r\n\r\n")) {
		r.countClosed(s)
	}
}

// readSlow lets each slow stream read a few bytes, if their pause is over.
func (r *reader) readSlow(now time.Time) error {
	if now.Before(r.slowAt) {
		return nil
	}
	r.slowAt = now.Add(slowPause)
	for _, s := range r.slow {
		if s.state != open {
			continue
		}
		if err := r.read(s, r.buffer[:slowBytes], now); err != nil {
			return err
		}
	}
	return nil
}

// countOpened counts a stream that is open now.
func (r *reader) countOpened(s *stream) {
	s.state = open
	r.opening--
	if s.receipts != nil {
		r.counters.countOpened()
	} else {
		r.counters.opened.Add(1)
	}
}

// countClosed counts a stream that the server has closed, and closes it.
func (r *reader) countClosed(s *stream) {
	s.state = closed
	unix.Close(s.fd)
	r.counters.countClosed(s.kind, s.receipts)
}
