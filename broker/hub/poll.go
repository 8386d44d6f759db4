package hub

import (
	"errors"
	"slices"

	"github.com/snd-rental/yardline/shared/wire"
)

// ErrBehindRing means that the ring no longer holds the events that a subscriber
// needs next, so that they must be read from the log by [Subscriber.ReadLog].
var ErrBehindRing = errors.New("hub: behind the ring of recent events")

// Poll returns the next bytes of the stream, or nil when there are none. It
// never waits for an event. It always returns whole frames, and with Request.Gzip
// whole blocks of them. The caller must not change the bytes. Subscribers that
// read the same part of a view receive the same memory, so that a caller with
// many subscribers can recognise it by its address.
//
// The error is a *ClosedError, or ErrBehindRing. After ErrBehindRing the caller
// must call ReadLog, which may wait.
func (s *Subscriber) Poll() ([]byte, error) {
	if s.openingFrames != nil {
		frames := s.openingFrames
		s.openingFrames = nil
		return s.encodeOpening(frames), nil
	}
	if err := s.closeError(); err != nil {
		return nil, err
	}
	if s.gzip != nil && s.view == nil {
		// A crowd that waits for the compression of its frames must not hold them
		// in memory meanwhile.
		s.hub.catchUps <- struct{}{}
		defer func() { <-s.hub.catchUps }()
	}
	if frames, err := s.pollRecent(); len(frames) > 0 || err != nil {
		return s.encodeOwn(frames), err
	}
	if s.view == nil || s.hub.config.Groups != nil {
		return nil, nil // Groups writes the frames of the view
	}
	// The end is read before the splices. A splice is added before the bytes
	// behind it, so readView misses no splice that belongs before this end.
	// The time is for measurements only and may be off by one event.
	stored := s.view.newestStored.Load()
	start := s.position.offset.Load()
	frames, isOwn := s.readView(s.view.end.Load())
	s.returnedStored = stored
	if isOwn {
		return s.encodeOwn(frames), nil
	}
	return s.encodeShared(start, frames), nil
}

// pollRecent returns the next frames of a subscriber without a view, or its
// heartbeat. It returns nil when there are none, or when the subscriber has a
// view. The error is ErrBehindRing.
func (s *Subscriber) pollRecent() ([]byte, error) {
	beats := s.hub.heartbeats[s.format].count.Load()
	for s.view == nil {
		frames, idle, err := s.catchUp()
		if err != nil {
			return nil, err
		}
		if idle && beats != s.heartbeatsSeen && s.view == nil {
			frames = s.format.Append(nil, &wire.Heartbeat{Cursor: s.cursor})
		}
		if frames != nil {
			s.heartbeatsSeen = beats
			return frames, nil
		}
		if idle && s.view == nil {
			return nil, nil
		}
	}
	return nil, nil
}

// View returns the view that the subscriber reads from, or nil while it has not
// caught up. With a view, Poll takes little time. The goroutine that calls Poll
// may call it.
func (s *Subscriber) View() *View { return s.view }

// End returns a number that grows with each frame of the view.
func (v *View) End() int64 { return v.end.Load() }

// Watch makes the hub call f after each record and each heartbeat, when many
// subscribers may have something to read. Any goroutine may call f, and f must
// not block. stop ends the calls, but one that is running may go on.
func (h *Hub) Watch(f func()) (stop func()) {
	watcher := &f
	h.setWatchers(func(all []*func()) []*func() { return append(all, watcher) })
	return func() {
		h.setWatchers(func(all []*func()) []*func() {
			return slices.DeleteFunc(all, func(w *func()) bool { return w == watcher })
		})
	}
}

// setWatchers replaces the watchers by the result of change, which gets a copy
// of them.
func (h *Hub) setWatchers(change func([]*func()) []*func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = change(slices.Clone(h.watchers))
}

// callWatchers calls the functions of Watch.
func (h *Hub) callWatchers() {
	h.mu.Lock()
	watchers := h.watchers
	h.mu.Unlock()
	for _, f := range watchers {
		(*f)()
	}
}

// wakePoller tells the owner of a polled subscription that this subscriber has
// something to read, or was closed.
func (s *Subscriber) wakePoller() {
	if s.wake != nil {
		s.wake()
	}
}
