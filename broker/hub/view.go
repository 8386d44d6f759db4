package hub

import (
	"sync"
	"sync/atomic"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// segmentBytes is the size of one piece of a view's log. A frame that is
// larger gets a piece of its own.
const segmentBytes = 32 << 10

// A segment is a piece of a view's log. Bytes below n never change, so
// readers need no lock.
type segment struct {
	base   int64 // offset of buf[0] in the log
	buf    []byte
	length atomic.Int64
	next   atomic.Pointer[segment] // set when nothing more comes here
}

// A view is one log of frames for all who share filter and roles. The hub
// appends, under its lock; subscribers read without one. Only the newest
// segment is held here: older ones live as long as somebody reads them.
type view struct {
	key      string
	roles    []access.Role
	audience string // of roles and format: views that share it deliver equal frames
	format   wire.Format
	filter   filter.Filter

	memberCount  int // guarded by the hub's lock
	tail         *segment
	end          atomic.Int64
	newestStored atomic.Int64 // when the newest event was stored, Unix time in ns
	wake         signal
}

func newView(key, form string, roles []access.Role, format wire.Format, f filter.Filter) *view {
	v := &view{key: key, roles: roles, audience: form, format: format, filter: f, tail: &segment{}}
	v.wake.init()
	return v
}

// append adds whole frames. Readers see all of them or none.
func (v *view) append(frames []byte) {
	s := v.tail
	used := s.length.Load()
	if int(used)+len(frames) > len(s.buf) {
		next := &segment{base: s.base + used, buf: make([]byte, max(segmentBytes, len(frames)))}
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

// A place is where a subscriber stands in a view's log.
type position struct {
	segment *segment
	offset  atomic.Int64 // read by the hub to measure the lag
}

// read returns the bytes between the place and limit, at most one segment's
// worth, and moves on. It returns nil where there are none.
func (p *position) read(limit int64) []byte {
	for {
		s, at := p.segment, p.offset.Load()
		next := s.next.Load() // before n: nothing is added once next is set
		if end := min(s.base+s.length.Load(), limit); at < end {
			p.offset.Store(end)
			return s.buf[at-s.base : end-s.base]
		}
		if next == nil || at < next.base {
			return nil
		}
		p.segment = next
	}
}

// A signal wakes everybody who waits.
type signal struct {
	mu sync.Mutex
	ch chan struct{} // closed and replaced by notify
}

func (s *signal) init() { s.ch = make(chan struct{}) }

// wait returns a channel that the next notify closes. Take it before looking
// for what it announces.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}
