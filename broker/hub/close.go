package hub

import (
	"math/rand/v2"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// closeLagging closes the subscribers that lag too far behind.
func (h *Hub) closeLagging() {
	limit := h.maxLag()
	h.CloseWhere(wire.ByeSlow, func(s *Subscriber) bool { return s.lagBytes() > limit })
}

// minMaxLag is the least that maxLag returns, in bytes.
const minMaxLag = 64 << 10

// maxLag returns Config.MaxLag, or less if the views would otherwise keep more
// than Config.MaxViewBytes.
func (h *Hub) maxLag() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	limit := h.config.MaxLag
	for limit > minMaxLag && limit*int64(len(h.views)) > h.config.MaxViewBytes &&
		h.keptBytesLocked(limit) > h.config.MaxViewBytes {
		limit /= 2
	}
	return limit
}

// keptBytesLocked returns the number of bytes that the views keep for subscribers
// that lag by at most limit bytes. The caller must hold h.mu.
func (h *Hub) keptBytesLocked(limit int64) (total int64) {
	kept := map[*View]int64{}
	for s := range h.subscribers {
		if lag := s.lagBytes(); s.view != nil && lag <= limit && lag > kept[s.view] {
			total += lag - kept[s.view]
			kept[s.view] = lag
		}
	}
	return total
}

// lagBytes returns the number of bytes that wait for the subscriber in its
// view. The caller must hold h.mu.
func (s *Subscriber) lagBytes() int64 {
	if s.view == nil {
		return 0
	}
	return s.view.end.Load() - s.position.offset.Load() + s.spliceBytes.Load()
}

// Leave ends the subscription from the reader's side. After it the hub does not
// call Request.Abort any more. No other goroutine may read meanwhile. Calling
// Leave again does nothing.
func (s *Subscriber) Leave() {
	s.abortMu.Lock()
	s.abort = nil // the connection may serve another request by now
	s.abortMu.Unlock()
	if s.gzip != nil {
		s.gzip.Close()
	}
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, found := h.subscribers[s]; !found {
		return
	}
	delete(h.subscribers, s)
	if s.view != nil {
		h.leaveViewLocked(s)
	}
}

// Close ends the subscription from the broker's side: Next returns a
// *ClosedError with bye. Calling Close again does nothing.
func (s *Subscriber) Close(bye wire.Bye) {
	s.mu.Lock()
	first := s.bye == nil
	if first {
		s.bye = &bye
		if s.done != nil {
			close(s.done)
		}
	}
	s.mu.Unlock()
	s.wakePoller()
	// A slow reader may block in a write. The hub aborts the write, because
	// waiting for its end would keep the memory of the subscription.
	if first && bye.Reason == wire.ByeSlow {
		s.hub.config.Observer.Slow(CauseLag)
		s.Abort()
	}
}

// Abort calls Request.Abort, unless the reader has left.
func (s *Subscriber) Abort() {
	s.abortMu.Lock()
	defer s.abortMu.Unlock()
	if s.abort != nil {
		s.abort()
	}
}

// IsClosed reports whether the broker has ended the subscription.
func (s *Subscriber) IsClosed() bool { return s.closeError() != nil }

// closeError returns a *ClosedError, or nil while the subscription is open.
func (s *Subscriber) closeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bye == nil {
		return nil
	}
	return &ClosedError{*s.bye}
}

// CloseWhere closes every subscription for which condition returns true. The
// hub calls condition under its lock, so it must not block, and must not call
// the hub.
func (h *Hub) CloseWhere(reason wire.Reason, condition func(*Subscriber) bool) {
	for _, s := range h.subscribersWhere(condition) {
		s.Close(wire.Bye{Reason: reason})
	}
}

// subscribersWhere returns the subscribers for which condition returns true. It
// calls condition under h.mu.
func (h *Hub) subscribersWhere(condition func(*Subscriber) bool) (found []*Subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		if condition(s) {
			found = append(found, s)
		}
	}
	return found
}

// Drain closes all subscriptions and refuses new ones. The goodbye tells each
// client to wait for a random time before it reconnects. Long polls end at once.
func (h *Hub) Drain() {
	h.mu.Lock()
	if !h.draining {
		close(h.drained)
	}
	h.draining = true
	h.mu.Unlock()
	h.wake.notify() // for long polls
	for _, s := range h.subscribersWhere(func(*Subscriber) bool { return true }) {
		s.Close(drainBye())
	}
}

// Draining returns a channel that Drain closes.
func (h *Hub) Draining() <-chan struct{} { return h.drained }

// maxDrainDelay is the longest time that Drain tells a client to wait. The
// times are random, so that the clients do not all reconnect at once.
const maxDrainDelay = 3 * time.Second

// drainBye returns the Bye of a draining hub, with a random delay.
func drainBye() wire.Bye {
	return wire.Bye{Reason: wire.ByeDrain, Delay: rand.N(maxDrainDelay)}
}
