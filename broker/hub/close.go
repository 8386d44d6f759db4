package hub

import (
	"math/rand/v2"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// lags tells whether the subscriber is too far behind its view. It is called
// under the hub's lock.
func (s *Subscriber) isLagging() bool { return s.lagBytes() > s.hub.config.MaxLag }

// lag is how many bytes wait for the subscriber in its view. It is called
// under the hub's lock.
func (s *Subscriber) lagBytes() int64 {
	if s.view == nil {
		return 0
	}
	return s.view.end.Load() - s.position.offset.Load() + s.spliceBytes.Load()
}

// Leave ends the subscription. Leaving twice is leaving once.
func (s *Subscriber) Leave() {
	s.abortMu.Lock()
	s.abort = nil // what it would break off is over, and may be somebody else's by now
	s.abortMu.Unlock()
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.subscribers[s]; !there {
		return
	}
	delete(h.subscribers, s)
	if s.view != nil {
		h.leaveViewLocked(s)
	}
}

// Close ends the subscription from the broker's side. The first reason stands.
func (s *Subscriber) Close(bye wire.Bye) {
	s.mu.Lock()
	first := s.bye == nil
	if first {
		s.bye = &bye
		close(s.done)
	}
	s.mu.Unlock()
	// A reader that is too slow has not taken what was written: waiting for
	// it to take more would hold its memory.
	if first && bye.Reason == wire.ByeSlow {
		s.hub.config.Observer.Slow(CauseLag)
		s.Abort()
	}
}

// Abort breaks off a write that hangs, unless the reader has left.
func (s *Subscriber) Abort() {
	s.abortMu.Lock()
	defer s.abortMu.Unlock()
	if s.abort != nil {
		s.abort()
	}
}

// IsClosed tells whether the broker has ended the subscription.
func (s *Subscriber) IsClosed() bool { return s.closeError() != nil }

func (s *Subscriber) closeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bye == nil {
		return nil
	}
	return &ClosedError{*s.bye}
}

// CloseWhere closes every subscription that the condition picks. The
// condition is called under the hub's lock and must not block.
func (h *Hub) CloseWhere(reason wire.Reason, pick func(*Subscriber) bool) {
	for _, s := range h.subscribersWhere(pick) {
		s.Close(wire.Bye{Reason: reason})
	}
}

func (h *Hub) subscribersWhere(condition func(*Subscriber) bool) (picked []*Subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		if condition(s) {
			picked = append(picked, s)
		}
	}
	return picked
}

// Drain closes all subscriptions, each with another delay, and takes no more.
func (h *Hub) Drain() {
	h.mu.Lock()
	if !h.draining {
		close(h.drained)
	}
	h.draining = true
	h.mu.Unlock()
	h.wake.notify() // long polls too
	for _, s := range h.subscribersWhere(func(*Subscriber) bool { return true }) {
		s.Close(drainBye())
	}
}

// Draining is closed by Drain.
func (h *Hub) Draining() <-chan struct{} { return h.drained }

// maxDrainDelay spreads the return of the clients of a broker that stops.
const maxDrainDelay = 3 * time.Second

func drainBye() wire.Bye {
	return wire.Bye{Reason: wire.ByeDrain, Delay: rand.N(maxDrainDelay)}
}
