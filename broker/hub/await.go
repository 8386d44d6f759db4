package hub

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// Await returns when the hub has handled all records up to and including seq.
// A publisher that waits for its own event finds it in the next snapshot. The
// error is that of ctx.
func (h *Hub) Await(ctx context.Context, seq uint64) error {
	if h.head().Seq >= seq {
		return nil
	}
	// The goroutine waits before it looks again, so that it misses no record in
	// between.
	w := h.seqWaiters.add(seq)
	if h.head().Seq >= seq {
		h.seqWaiters.remove(w)
		return nil
	}
	select {
	case <-w.reached:
		return nil
	case <-ctx.Done():
		h.seqWaiters.remove(w)
		return ctx.Err()
	}
}

// seqWaiters are goroutines that wait for records. A record wakes only those that
// wait for it, because many publishers wait at the same time. The zero value is
// ready to use. All methods may be called concurrently.
type seqWaiters struct {
	mu      sync.Mutex   // guards all below
	waiting []*seqWaiter // in the order of seq
}

// A seqWaiter is one goroutine.
type seqWaiter struct {
	seq     uint64
	reached chan struct{} // closed when the hub has handled seq
}

// compareSeq compares the records that two goroutines wait for.
func compareSeq(a, b *seqWaiter) int { return cmp.Compare(a.seq, b.seq) }

// add lets the caller wait for a record.
func (s *seqWaiters) add(seq uint64) *seqWaiter {
	w := &seqWaiter{seq, make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := slices.BinarySearchFunc(s.waiting, w, compareSeq)
	s.waiting = slices.Insert(s.waiting, at, w)
	return w
}

// remove ends the wait of a goroutine.
func (s *seqWaiters) remove(w *seqWaiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *seqWaiter) bool { return other == w })
}

// reach wakes the goroutines that wait for records up to and including seq.
func (s *seqWaiters) reach(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.waiting) && s.waiting[n].seq <= seq {
		close(s.waiting[n].reached)
		n++
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
}
