package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
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
	// ID names the connection. "" makes Subscribe choose a name.
	ID string
	// Heartbeat is the interval of heartbeats that the stream announces to the
	// client. It does not change the hub's own interval. Defaults to
	// Config.Heartbeat.
	Heartbeat time.Duration
	// Abort breaks off a write that hangs. The hub calls it when it closes a
	// slow reader, and Subscriber.Abort calls it. nil disables this.
	Abort func()
}

// A Subscriber is one reader of the log. Only one goroutine may call Next and
// MarkWritten. All other methods may be called concurrently. The caller must
// call Leave when it stops reading.
type Subscriber struct {
	// ID names the connection.
	ID string

	hub      *Hub
	openedAt time.Time
	grant    access.Grant
	format   wire.Format

	abortMu sync.Mutex // guards abort; no other lock is taken while it is held
	abort   func()     // nil once the reader has left

	// refilters carries requests from Refilter to Next. It has no buffer, so
	// that Refilter returns when Next has received the request.
	refilters chan refilterRequest

	// The goroutine that calls Next owns the following fields. Writing view
	// also requires h.mu, because the hub reads it.
	openingFrames  []byte // hello, and a gap where there is one; nil once Next has returned them
	filter         filter.Filter
	cursor         wire.Cursor // while catching up: everything through it has been delivered
	replayed       int         // while catching up: number of delivered events
	view           *view       // nil until the subscriber joins one
	position       position    // in the view
	heartbeatTimer *time.Timer // of a subscriber without a view; nil until it first waits
	returnedStored int64       // Unix time in ns when the newest event that Next returned was stored
	writtenStored  int64       // the same for the newest event that was written to the socket

	spliceBytes atomic.Int64 // total size of splices

	mu      sync.Mutex    // guards all below
	splices []splice      // by offset
	bye     *wire.Bye     // nil until the broker closes the subscription
	done    chan struct{} // closed when bye is set
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
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	epoch := h.config.Log.Epoch()
	start, gap := resolveStart(r.After, bounds, epoch)
	h.warnAhead(r.After, bounds.Last)
	s := &Subscriber{
		ID:        cmp.Or(r.ID, NewID()),
		hub:       h,
		openedAt:  time.Now().UTC(),
		grant:     r.Grant,
		format:    r.Format,
		abort:     r.Abort,
		refilters: make(chan refilterRequest),
		filter:    r.Filter,
		cursor:    start,
		done:      make(chan struct{}),
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
	return s, nil
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
		frames := s.openingFrames
		s.openingFrames = nil
		return frames, nil
	}
	for {
		if err := s.closeError(); err != nil {
			return nil, err
		}
		select {
		case r := <-s.refilters:
			return s.applyRefilter(r), nil
		default:
		}
		wake := s.wakeChannel()
		frames, idle, err := s.advance(ctx)
		if err != nil {
			return nil, err
		}
		if len(frames) == 0 && idle {
			if frames, err = s.wait(ctx, wake); err != nil {
				return nil, err
			}
		}
		if len(frames) > 0 {
			s.resetHeartbeatTimer()
			return frames, nil
		}
	}
}

// wakeChannel returns a channel that is closed when there may be more to read.
func (s *Subscriber) wakeChannel() <-chan struct{} {
	if s.view != nil {
		return s.view.wake.wait()
	}
	return s.hub.wake.wait()
}

// advance reads once, from the view, the ring or the log. idle is true when
// there was nothing to read.
func (s *Subscriber) advance(ctx context.Context) (frames []byte, idle bool, err error) {
	if s.view == nil {
		return s.catchUp(ctx)
	}
	if s.hub.config.Groups != nil {
		return nil, true, nil // Groups writes the frames of the view
	}
	// The end is read before the splices. A splice is added before the bytes
	// behind it, so readView misses no splice that belongs before this end.
	// The time is for measurements only and may be off by one event.
	stored := s.view.newestStored.Load()
	frames = s.readView(s.view.end.Load())
	s.returnedStored = stored
	return frames, frames == nil, nil
}

// wait returns when there may be more to read. It returns a heartbeat when a
// subscriber without a view has waited for the heartbeat interval.
func (s *Subscriber) wait(ctx context.Context, wake <-chan struct{}) ([]byte, error) {
	var timer <-chan time.Time
	var heartbeat <-chan struct{}
	switch {
	case s.view != nil: // the view has heartbeats of its own
	case s.hub.config.Groups != nil:
		// A timer would keep a platform awake that could sleep.
		heartbeat = s.hub.heartbeats[s.format].wait()
	default:
		if s.heartbeatTimer == nil {
			s.heartbeatTimer = time.NewTimer(s.hub.config.Heartbeat)
		}
		timer = s.heartbeatTimer.C
	}
	select {
	case <-wake:
	case <-s.done:
	case r := <-s.refilters:
		return s.applyRefilter(r), nil
	case <-heartbeat:
		return s.format.Append(nil, &wire.Heartbeat{Cursor: s.cursor}), nil
	case <-timer:
		return s.format.Append(nil, &wire.Heartbeat{Cursor: s.cursor}), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return nil, nil
}

// resetHeartbeatTimer starts the heartbeat interval anew.
func (s *Subscriber) resetHeartbeatTimer() {
	if s.heartbeatTimer != nil {
		s.heartbeatTimer.Reset(s.hub.config.Heartbeat)
	}
}

// readView returns the next bytes of the view up to the offset limit, or the
// next splice. It returns nil when there is nothing to read.
func (s *Subscriber) readView(limit int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.splices) > 0 {
		next := s.splices[0]
		if next.offset == s.position.offset.Load() {
			s.splices = s.splices[1:]
			s.spliceBytes.Add(-int64(len(next.frame)))
			return next.frame
		}
		limit = min(limit, next.offset)
	}
	return s.position.read(limit)
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
