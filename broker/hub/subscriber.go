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
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Request is what somebody subscribes to.
type Request struct {
	Grant     access.Grant
	Filter    filter.Filter
	After     *wire.Cursor  // nil: live events only; the zero Cursor: from the oldest kept
	Format    wire.Format   // of the frames
	ID        string        // of the connection; "": a new one
	Heartbeat time.Duration // what the stream says of its heartbeat; 0: the hub's
	Abort     func()        // breaks off a write that hangs; may be nil; called at most once
}

// A Subscriber is one reader's way through the log. Next is called by one
// goroutine; everything else may be called from any. Leave must be called.
type Subscriber struct {
	ID string

	hub      *Hub
	openedAt time.Time
	grant    access.Grant
	format   wire.Format

	abortMu sync.Mutex // guards abort; nothing else is locked under it
	abort   func()     // nil once the reader has left

	refilters chan refilterRequest // from Refilter to Next, which takes it when it can

	// Owned by the goroutine that calls Next.
	openingFrames  []byte // the frames that open the stream
	filter         filter.Filter
	cursor         wire.Cursor // delivered through, while catching up
	replayed       int         // events so far, while catching up
	view           *view       // set once it has joined; guarded by the hub's lock to write
	position       position
	heartbeatTimer *time.Timer // the heartbeat of a subscriber without a view
	returnedStored int64       // of the newest event that Next has returned, as view.stored
	writtenStored  int64       // of the newest that MarkWritten knows of

	spliceBytes atomic.Int64 // bytes of splices

	mu      sync.Mutex // guards all below
	splices []splice
	bye     *wire.Bye
	done    chan struct{} // closed with bye
}

// A splice is what one person alone is sent, before the byte at offset.
type splice struct {
	offset int64
	frame  []byte
}

// A ClosedError ends a subscription: send the Bye, if the transport can, and
// close.
type ClosedError struct{ Bye wire.Bye }

func (c *ClosedError) Error() string { return "hub: closed: " + string(c.Bye.Reason) }

// NewID names a connection.
func NewID() string { return "c-" + strings.ToLower(rand.Text()[:10]) }

// Subscribe opens a subscription. It fails where the log does, or with a
// ClosedError while the hub drains.
func (h *Hub) Subscribe(ctx context.Context, r Request) (*Subscriber, error) {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	s := &Subscriber{
		ID:  cmp.Or(r.ID, NewID()),
		hub: h, openedAt: time.Now().UTC(), grant: r.Grant, filter: r.Filter, format: r.Format, abort: r.Abort,
		refilters: make(chan refilterRequest), done: make(chan struct{}),
	}
	epoch := h.config.Log.Epoch()
	head, oldest := wire.Cursor{Epoch: epoch, Seq: bounds.Last}, wire.Cursor{Epoch: epoch, Seq: bounds.First}
	start, gap := resolveStart(r.After, bounds, epoch)
	h.warnAhead(r.After, bounds.Last)
	s.cursor = start
	s.openingFrames = s.format.Append(nil, &wire.Hello{Start: start, Head: head, Oldest: oldest, Heartbeat: cmp.Or(r.Heartbeat, h.config.Heartbeat),
		Retry: h.config.Retry, Connection: s.ID, Grant: r.Grant.ID()})
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

// startOf is where a stream starts for a given cursor, and the gap before its
// first event. The stream says that it starts at the cursor as it was given:
// whoever is cut between hello and gap must be told of the gap again.
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

// Next returns the next bytes of the stream, always whole frames, and waits
// where there are none. They must not be changed, and are valid until the
// next call. The error is a *ClosedError, that of ctx, or that of the log.
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

// wakes returns what is closed when there may be more.
func (s *Subscriber) wakeChannel() <-chan struct{} {
	if s.view != nil {
		return s.view.wake.wait()
	}
	return s.hub.wake.wait()
}

// advance takes one step. idle tells that there was nothing to take.
func (s *Subscriber) advance(ctx context.Context) (frames []byte, idle bool, err error) {
	if s.view == nil {
		return s.catchUp(ctx)
	}
	if s.hub.config.Groups != nil {
		return nil, true, nil // others write what comes
	}
	// The end comes first: a splice is there before any byte behind it, so
	// none that belongs before this end can be missed. What is stored later
	// than this is not in the frames.
	stored := s.view.newestStored.Load()
	frames = s.readView(s.view.end.Load())
	s.returnedStored = stored
	return frames, frames == nil, nil
}

// wait returns when there may be more, with a heartbeat where a subscriber
// without a view was quiet for long.
func (s *Subscriber) wait(ctx context.Context, wake <-chan struct{}) ([]byte, error) {
	var quiet <-chan time.Time
	var beat <-chan struct{}
	switch {
	case s.view != nil: // it has the heartbeats of the view
	case s.hub.config.Groups != nil: // a timer would keep awake what may sleep
		beat = s.hub.heartbeats[s.format].wait()
	default:
		if s.heartbeatTimer == nil {
			s.heartbeatTimer = time.NewTimer(s.hub.config.Heartbeat)
		}
		quiet = s.heartbeatTimer.C
	}
	select {
	case <-wake:
	case <-s.done:
	case r := <-s.refilters:
		return s.applyRefilter(r), nil
	case <-beat:
		return s.format.Append(nil, &wire.Heartbeat{Cursor: s.cursor}), nil
	case <-quiet:
		return s.format.Append(nil, &wire.Heartbeat{Cursor: s.cursor}), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return nil, nil
}

func (s *Subscriber) resetHeartbeatTimer() {
	if s.heartbeatTimer != nil {
		s.heartbeatTimer.Reset(s.hub.config.Heartbeat)
	}
}

// readLive returns what the view has for the subscriber up to an offset, its
// splices in place.
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

// splice is called by the hub, under its lock.
func (s *Subscriber) splice(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.splices = append(s.splices, splice{s.view.end.Load(), frame})
	s.spliceBytes.Add(int64(len(frame)))
}

// page is how many records are read from the log at once.
const catchUpPage = 256

// catchUp returns the frames of the next records after the cursor, from the
// ring where it reaches back so far and from the log otherwise. At the head
// it joins the view; a subscriber with subjects stays outside.
func (s *Subscriber) catchUp(ctx context.Context) (frames []byte, idle bool, err error) {
	h := s.hub
	h.mu.Lock()
	head := h.state.Cursor.Seq
	if s.cursor.Seq == head && len(s.filter.Subjects) == 0 {
		h.joinViewLocked(s)
		h.mu.Unlock()
		return nil, false, nil
	}
	if s.cursor.Seq >= head { // beyond it where the log is ahead of the hub
		h.mu.Unlock()
		return nil, true, nil
	}
	var items []ringItem
	if len(h.ring) > 0 && s.cursor.Seq+1 >= h.ring[0].seq {
		// The ring is appended to and replaced, never changed in place.
		items = h.ring[s.cursor.Seq+1-h.ring[0].seq:]
		items = items[:min(catchUpPage, len(items))]
	}
	h.mu.Unlock()
	if items == nil {
		frames, err = s.readLog(ctx)
		return frames, false, err
	}
	hidden := 0
	for _, it := range items {
		before := len(frames)
		frames = s.appendVisible(frames, it.event, it.seq)
		s.cursor.Seq = it.seq
		if hidden++; len(frames) > before {
			hidden = 0
		}
	}
	if hidden > 1 {
		// These were not for this reader: who is cut resumes after them.
		frames = s.format.Append(frames, &wire.Heartbeat{Cursor: s.cursor})
	}
	return frames, false, nil
}

// readLog returns a page from the log. Where nothing of it is for this reader
// it is a heartbeat, so that who is cut resumes from there.
func (s *Subscriber) readLog(ctx context.Context) ([]byte, error) {
	h := s.hub
	select {
	case h.readTokens <- struct{}{}:
		defer func() { <-h.readTokens }()
	case <-s.done:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p, err := h.config.Log.Read(ctx, s.cursor.Seq, catchUpPage, selection(s.filter))
	if errors.Is(err, eventlog.ErrGone) {
		b, err := h.config.Log.Bounds(ctx)
		if err != nil {
			return nil, err
		}
		gap := &wire.Gap{From: s.cursor, To: wire.Cursor{Epoch: s.cursor.Epoch, Seq: b.First - 1}}
		s.cursor = gap.To
		h.config.Observer.Gap()
		return s.format.Append(nil, gap), nil
	}
	if err != nil {
		return nil, err
	}
	var frames []byte
	for _, r := range p.Records {
		e, err := Decode(r, s.cursor.Epoch)
		if err != nil {
			h.config.Logger.Error("unreadable record", "seq", r.Seq, "error", err)
			continue
		}
		frames = s.appendVisible(frames, e, r.Seq)
	}
	s.cursor.Seq = p.Through
	return s.format.Append(frames, &wire.Heartbeat{Cursor: s.cursor}), nil
}

// appendSeen appends an event as this reader sees it.
func (s *Subscriber) appendVisible(frames []byte, e event.Event, seq uint64) []byte {
	seen, ok := visible(s.grant, s.filter, e)
	if !ok {
		return frames
	}
	s.hub.delivered.Add(1)
	s.replayed++
	return s.format.Append(frames, &wire.Event{Cursor: wire.Cursor{Epoch: s.cursor.Epoch, Seq: seq}, Event: seen})
}

// visible is an event as a reader who filters may see it.
func visible(g access.Grant, f filter.Filter, e event.Event) (seen event.Event, ok bool) {
	if !f.Match(e) {
		return event.Event{}, false
	}
	return access.Redact(g, e)
}
