package hub

import (
	"sync"
	"sync/atomic"

	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
)

// segmentBytes is the usual size of a segment. A frame that is larger gets a
// segment of its own.
const segmentBytes = 32 << 10

// A segment is a piece of a view's byte log. Bytes before length never change,
// so readers need no lock.
type segment struct {
	start  int64 // offset of buf[0] in the byte log
	buf    []byte
	length atomic.Int64            // number of bytes of buf that are in use
	next   atomic.Pointer[segment] // set once no more bytes are added to this segment
}

// A View is one byte log of frames, shared by all subscribers with the same
// roles, format and filter. The hub appends under h.mu, and subscribers read
// without a lock. The view refers to its newest segment only, so that the
// garbage collector frees a segment that no subscriber reads any more.
type View struct {
	key      string
	audience *audience
	filter   filter.Filter
	gzip     *sharedgzip.Log // for the subscribers that receive gzip

	memberCount  int // the hub's h.mu guards it
	tail         *segment
	end          atomic.Int64 // offset after the last byte
	newestStored atomic.Int64 // Unix time in ns when the newest event was stored
	wake         signal       // notified after each append
}

// newView returns an empty view.
func (h *Hub) newView(key string, a *audience, f filter.Filter) *View {
	v := &View{key: key, audience: a, filter: f, gzip: sharedgzip.NewLog(h.compressors), tail: &segment{}}
	v.wake.init()
	return v
}

// append adds whole frames. A reader sees all of them or none. The caller must
// hold h.mu.
func (v *View) append(frames []byte) {
	s := v.tail
	used := s.length.Load()
	if int(used)+len(frames) > len(s.buf) {
		next := &segment{start: s.start + used, buf: make([]byte, max(segmentBytes, len(frames)))}
		copy(next.buf, frames)
		next.length.Store(int64(len(frames)))
		s.next.Store(next)
		v.tail = next
	} else {
		copy(s.buf[used:], frames)
		s.length.Store(used + int64(len(frames)))
	}
	v.end.Add(int64(len(frames)))
}

// joinViewLocked adds a subscriber that has reached the head to its view, and
// makes the view when there is none. The caller must hold h.mu.
func (h *Hub) joinViewLocked(s *Subscriber) {
	key := s.audience.key + "?" + s.filter.Key()
	v := h.views[key]
	if v == nil {
		v = h.newView(key, s.audience, s.filter)
		h.views[key], h.viewList = v, nil
	}
	v.memberCount++
	s.view = v
	s.position.segment = v.tail
	s.position.offset.Store(v.end.Load())
	s.returnedStored, s.writtenStored = v.newestStored.Load(), v.newestStored.Load()
	for _, person := range access.PersonKeysOfGrant(s.grant) {
		if h.persons[person] == nil {
			h.persons[person] = map[*Subscriber]struct{}{}
		}
		h.persons[person][s] = struct{}{}
	}
	if h.config.Groups != nil {
		h.config.Groups.Join(v.key, s.ID)
	}
	h.config.Observer.Replayed(s.replayed)
	s.replayed = 0
}

// leaveViewLocked removes a subscriber from its view. The subscriber can still
// read the bytes that the view holds for it. The caller must hold h.mu.
func (h *Hub) leaveViewLocked(s *Subscriber) {
	for _, person := range access.PersonKeysOfGrant(s.grant) {
		if delete(h.persons[person], s); len(h.persons[person]) == 0 {
			delete(h.persons, person)
		}
	}
	if h.config.Groups != nil {
		h.config.Groups.Leave(s.view.key, s.ID)
	}
	if s.view.memberCount--; s.view.memberCount == 0 {
		delete(h.views, s.view.key)
		h.viewList = nil
	}
}

// A position is the offset of a subscriber in a view's byte log. Only the
// goroutine that calls Next moves it.
type position struct {
	segment *segment
	offset  atomic.Int64 // atomic because the hub reads it to measure the lag
}

// read returns the bytes between the position and the offset limit, at most
// those of one segment, and moves the position behind them. It returns nil when
// there are none.
func (p *position) read(limit int64) []byte {
	for {
		s, at := p.segment, p.offset.Load()
		// next is read before length, because no bytes are added once it is set.
		next := s.next.Load()
		if end := min(s.start+s.length.Load(), limit); at < end {
			p.offset.Store(end)
			return s.buf[at-s.start : end-s.start]
		}
		if next == nil || at < next.start {
			return nil
		}
		p.segment = next
	}
}

// A signal wakes all goroutines that wait for it. The caller must call init
// before its first use.
type signal struct {
	mu sync.Mutex    // guards ch
	ch chan struct{} // notify closes and replaces it
}

func (s *signal) init() { s.ch = make(chan struct{}) }

// wait returns a channel that the next notify closes. The caller must call it
// before it looks for new data, so that it misses no notification in between.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

// notify wakes the goroutines that wait.
func (s *signal) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}
