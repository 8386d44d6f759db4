package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Request describes a subscription.
type Request struct {
	// Grant is the access of the reader.
	Grant access.Grant
	// Filter selects events. The zero value selects all.
	Filter filter.Filter
	// After is the cursor that the stream continues from. The zero Cursor
	// starts at the oldest kept event. nil starts with the next event.
	After *wire.Cursor
	// Format is the encoding of the frames.
	Format wire.Format
	// Gzip compresses the stream by gzip (RFC 1952). It is not for a hub with
	// [Groups].
	Gzip bool
	// ID names the connection. "" makes Subscribe choose a name.
	ID string
	// Heartbeat is the interval of heartbeats that the stream announces to the
	// client. It does not change the hub's own interval. Defaults to
	// Config.Heartbeat.
	Heartbeat time.Duration
	// Abort breaks off a write that hangs. The hub calls it when it closes a
	// slow reader, and Subscriber.Abort calls it. nil disables this.
	Abort func()
	// Wake makes the subscription a polled one: the caller reads it by
	// [Subscriber.Poll] instead of [Subscriber.Next], and cannot change its
	// filter. The hub calls Wake when there is something to read for this
	// subscriber alone, and when it closes the subscription; see also
	// [Hub.Watch]. The hub may hold its lock, so Wake must not block and must
	// not call the hub.
	Wake func()
}

// A Subscriber is one reader of the log. Only one goroutine at a time may call
// Next, Poll, ReadLog, View and MarkWritten. All other methods may be called
// concurrently. The caller must call Leave when it stops reading.
type Subscriber struct {
	// ID names the connection.
	ID string

	hub      *Hub
	openedAt time.Time
	grant    access.Grant
	format   wire.Format
	audience *audience
	wake     func() // Request.Wake

	abortMu sync.Mutex // guards abort; no other lock is taken while it is held
	abort   func()     // nil once the reader has left

	// refilters carries requests from Refilter to Next. It has no buffer, so
	// that Refilter returns when Next has received the request. It is nil for a
	// polled subscription.
	refilters chan refilterRequest

	// The goroutine that calls Next or Poll owns the following fields. Writing view
	// also requires h.mu, because the hub reads it.
	openingFrames  []byte             // hello, and a gap where there is one; nil once they were returned
	gzip           *sharedgzip.Reader // nil without Request.Gzip
	filter         filter.Filter
	cursor         wire.Cursor // while catching up: everything through it has been delivered
	replayed       int         // while catching up: number of delivered events
	view           *View       // nil until the subscriber joins one
	position       position    // in the view
	heartbeatsSeen int64       // while it has no view: number of heartbeats up to its newest frame
	returnedStored int64       // Unix time in ns when the newest returned event was stored
	writtenStored  int64       // the same for the newest event that was written to the socket

	spliceBytes atomic.Int64 // total size of splices

	mu      sync.Mutex    // guards all below
	splices []splice      // by offset
	bye     *wire.Bye     // nil until the broker closes the subscription
	done    chan struct{} // closed when bye is set; nil for a polled subscription
}

// A splice is a frame that only one subscriber receives, before the byte of its
// view at offset.
type splice struct {
	offset int64
	frame  []byte
}

// A ClosedError means that the broker has ended a subscription. The caller
// should send the Bye, if the transport can still send, and close the
// connection.
type ClosedError struct{ Bye wire.Bye }

// Error implements error.
func (c *ClosedError) Error() string { return "hub: closed: " + string(c.Bye.Reason) }

// NewID returns a new name for a connection.
func NewID() string { return "c-" + strings.ToLower(rand.Text()[:10]) }

// Subscribe opens a subscription. The error is that of the log, or a
// *ClosedError while the hub drains.
func (h *Hub) Subscribe(ctx context.Context, r Request) (*Subscriber, error) {
	bounds, err := h.streamBounds(ctx, r.After)
	if err != nil {
		return nil, err
	}
	epoch := h.config.Log.Epoch()
	start, gap := resolveStart(r.After, bounds, epoch)
	h.warnAhead(r.After, bounds.Last)
	s := &Subscriber{
		ID:             cmp.Or(r.ID, NewID()),
		hub:            h,
		openedAt:       time.Now().UTC(),
		grant:          r.Grant,
		format:         r.Format,
		abort:          r.Abort,
		wake:           r.Wake,
		filter:         r.Filter,
		cursor:         start,
		heartbeatsSeen: h.heartbeats[r.Format].count.Load(),
	}
	if r.Gzip {
		s.gzip = sharedgzip.NewReader(h.compressors)
	}
	if r.Wake == nil {
		s.refilters, s.done = make(chan refilterRequest), make(chan struct{})
	}
	s.openingFrames = s.format.Append(nil, &wire.Hello{
		Start:      start,
		Head:       wire.Cursor{Epoch: epoch, Seq: bounds.Last},
		Oldest:     wire.Cursor{Epoch: epoch, Seq: bounds.First},
		Heartbeat:  cmp.Or(r.Heartbeat, h.config.Heartbeat),
		Retry:      h.config.Retry,
		Connection: s.ID,
		Grant:      r.Grant.ID(),
	})
	if gap != nil {
		h.config.Observer.Gap()
		s.openingFrames = s.format.Append(s.openingFrames, gap)
		s.cursor = gap.To
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, &ClosedError{drainBye()}
	}
	h.subscribers[s] = struct{}{}
	s.audience = h.audienceLocked(s.grant.Roles, s.format)
	return s, nil
}

// streamBounds returns the bounds of the log for a new stream. It asks the log
// only when this hub may lack records: while it starts, and when the client has
// a cursor after the newest record that this hub has handled, which another
// broker may have stored. Otherwise a crowd of clients would wait for the log.
func (h *Hub) streamBounds(ctx context.Context, after *wire.Cursor) (eventlog.Bounds, error) {
	select {
	case <-h.ready:
		b := eventlog.Bounds{First: h.oldest.Load(), Last: h.head().Seq}
		if after == nil || after.Epoch != h.config.Log.Epoch() || after.Seq <= b.Last {
			return b, nil
		}
	default:
	}
	return h.config.Log.Bounds(ctx)
}

// resolveStart returns the cursor where a stream starts, and the gap before its
// first event, or nil. With a gap the stream starts at the client's own cursor,
// because a client that is cut off between hello and gap must receive the gap
// again.
func resolveStart(after *wire.Cursor, b eventlog.Bounds, epoch string) (start wire.Cursor, gap *wire.Gap) {
	oldest, head := wire.Cursor{Epoch: epoch, Seq: b.First - 1}, wire.Cursor{Epoch: epoch, Seq: b.Last}
	switch {
	case after == nil:
		return head, nil
	case *after == wire.Cursor{}:
		return oldest, nil
	case after.Epoch != epoch || after.Seq > b.Last:
		return *after, &wire.Gap{From: *after, To: head}
	case after.Seq < oldest.Seq:
		return *after, &wire.Gap{From: *after, To: oldest}
	}
	return *after, nil
}

// Next returns the next bytes of the stream, and waits when there are none. It
// always returns whole frames. The caller must not change them, and may use
// them until the next call. The error is a *ClosedError, that of ctx, or that
// of the log.
func (s *Subscriber) Next(ctx context.Context) ([]byte, error) {
	if s.openingFrames != nil {
		return s.Poll()
	}
	for {
		select {
		case r := <-s.refilters:
			return s.applyRefilter(r), nil
		default:
		}
		changed, heartbeat := s.waitChannels()
		frames, err := s.Poll()
		if errors.Is(err, ErrBehindRing) {
			frames, err = s.ReadLog(ctx)
		}
		if len(frames) > 0 || err != nil {
			return frames, err
		}
		select {
		case <-changed:
		case <-heartbeat:
		case <-s.done:
		case r := <-s.refilters:
			return s.applyRefilter(r), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// waitChannels returns channels that are closed when there may be more to read.
// heartbeat is nil for a subscriber with a view, because the view has heartbeats
// of its own.
func (s *Subscriber) waitChannels() (changed, heartbeat <-chan struct{}) {
	if s.view != nil {
		return s.view.wake.wait(), nil
	}
	return s.hub.wake.wait(), s.hub.heartbeats[s.format].wait()
}

// readView returns the next bytes of the view up to the offset limit, or the
// next splice. isOwn is true for a splice. readView returns nil when there is
// nothing to read.
func (s *Subscriber) readView(limit int64) (frames []byte, isOwn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.splices) > 0 {
		next := s.splices[0]
		if next.offset == s.position.offset.Load() {
			s.splices = s.splices[1:]
			s.spliceBytes.Add(-int64(len(next.frame)))
			return next.frame, true
		}
		limit = min(limit, next.offset)
	}
	return s.position.read(limit), false
}

// splice adds a frame for this subscriber at the end of its view. The caller
// must hold h.mu.
func (s *Subscriber) splice(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.splices = append(s.splices, splice{s.view.end.Load(), frame})
	s.spliceBytes.Add(int64(len(frame)))
}

// Format returns the encoding of the frames.
func (s *Subscriber) Format() wire.Format { return s.format }

// MarkWritten reports that the bytes of the last Next have reached the socket.
func (s *Subscriber) MarkWritten() {
	if s.returnedStored > s.writtenStored {
		s.writtenStored = s.returnedStored
		s.hub.config.Observer.Delivered(time.Since(time.Unix(0, s.returnedStored)))
	}
}

// MarkStalled reports that a write to the reader took too long, so that the
// caller closes the connection. It counts only subscriptions that are still
// open, because a closed one may have been aborted on purpose.
func (s *Subscriber) MarkStalled() {
	if !s.IsClosed() {
		s.hub.config.Observer.Slow(CauseStalledWrite)
	}
}
