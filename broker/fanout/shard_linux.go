package fanout

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/broker/hub"
)

// A shard owns a part of the streams. Its goroutine writes to them.
type shard struct {
	writer *Writer
	epoll  int // descriptor of epoll
	bell   int // descriptor of an eventfd (eventfd(2)), which interrupts the wait for epoll

	count atomic.Int32 // number of streams in slots

	mu      sync.Mutex // guards all below
	woken   []*Stream  // streams that may have something to write
	given   []*Stream  // streams that a worker or Start has given to the shard
	changed bool       // views may have new bytes
	endAll  bool       // all streams must end
	closing bool       // the shard must end
	isRung  bool       // the bell has been rung since the last take
	closed  bool       // closeAll was called

	// The goroutine of run has the following fields.
	framer    framer
	streams   []*Stream // by slot; nil where a slot is free
	freeSlots []int32
	groups    map[*hub.View]*group
	waiting   map[*Stream]struct{} // streams without a view that have nothing to write
	blocked   map[*Stream]struct{} // streams whose socket is full
	nextRound time.Time            // the earliest time of the next round
	isDirty   bool                 // a round is due
}

// A group holds the streams of one view.
type group struct {
	view    *hub.View
	end     int64 // end of the view at the last round
	members []*Stream
}

func newShard(w *Writer) (*shard, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(epoll))
	}
	s := &shard{writer: w, epoll: epoll, bell: bell,
		groups: map[*hub.View]*group{}, waiting: map[*Stream]struct{}{}, blocked: map[*Stream]struct{}{}}
	ring := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: bellSlot} // so that nobody needs to read it
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, bell, &ring); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), s.closeDescriptors())
	}
	return s, nil
}

// bellSlot is the slot by which epoll reports the bell.
const bellSlot = -1

func (s *shard) closeDescriptors() error { return errors.Join(unix.Close(s.epoll), unix.Close(s.bell)) }

// post changes the inbox of the shard, and wakes the shard. It does nothing and
// returns false after closeAll.
func (s *shard) post(change func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	change()
	if !s.isRung {
		s.isRung = true
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(s.bell, one[:]) // cannot fail before 2^64 rings
	}
	return true
}

// wake makes the shard look at a stream.
func (s *shard) wake(st *Stream) {
	s.post(func() {
		if !st.isWoken {
			st.isWoken = true
			s.woken = append(s.woken, st)
		}
	})
}

// give makes the shard the owner of a stream. It ends the stream after closeAll.
func (s *shard) give(st *Stream) {
	if !s.post(func() { s.given = append(s.given, st) }) {
		st.end(context.Canceled)
		st.close()
	}
}

// An inbox is what other goroutines want from a shard.
type inbox struct {
	woken, given             []*Stream
	changed, endAll, closing bool
}

// take empties the inbox.
func (s *shard) take() inbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isRung = false
	for _, st := range s.woken {
		st.isWoken = false
	}
	in := inbox{s.woken, s.given, s.changed, s.endAll, s.closing}
	s.woken, s.given, s.changed, s.endAll = nil, nil, false, false
	return in
}

// stallCheck is the interval in which a shard looks for peers that are too slow.
const stallCheck = time.Second

// run serves the streams until Close.
func (s *shard) run() {
	events := make([]unix.EpollEvent, 256)
	nextCheck := time.Now().Add(stallCheck)
	for {
		n, err := unix.EpollWait(s.epoll, events, s.waitTime(time.Now(), nextCheck))
		if err != nil && !errors.Is(err, unix.EINTR) {
			s.writer.config.Logger.Error("the kernel reports no events of streams", "error", err)
			time.Sleep(stallCheck) // keeps the broker from turning without an end
		}
		in := s.take()
		if in.closing {
			return
		}
		for _, event := range events[:max(n, 0)] {
			s.handleEvent(event)
		}
		for _, st := range in.given {
			s.receive(st)
		}
		for _, st := range in.woken {
			s.look(st)
		}
		if in.endAll {
			s.endAllStreams()
		}
		s.isDirty = s.isDirty || in.changed
		now := time.Now()
		if s.isDirty && !now.Before(s.nextRound) {
			s.round(now)
		}
		if !now.Before(nextCheck) {
			s.endStalled(now)
			nextCheck = now.Add(stallCheck)
		}
	}
}

// waitTime returns the number of milliseconds to wait for epoll. -1 means without
// a limit.
func (s *shard) waitTime(now, nextCheck time.Time) int {
	wait := time.Duration(-1)
	if len(s.blocked) > 0 {
		wait = max(nextCheck.Sub(now), 0)
	}
	if s.isDirty {
		if rest := max(s.nextRound.Sub(now), 0); wait < 0 || rest < wait {
			wait = rest
		}
	}
	if wait < 0 {
		return -1
	}
	return int((wait + time.Millisecond - 1) / time.Millisecond)
}

// handleEvent handles what epoll reports of a connection.
func (s *shard) handleEvent(event unix.EpollEvent) {
	if event.Fd == bellSlot || s.streams[event.Fd] == nil { // nil: the stream has ended in this turn
		return
	}
	st := s.streams[event.Fd]
	if event.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		st.isCut.Store(true) // the peer has left
	}
	s.look(st)
}

// look advances a stream, now or when its other owner gives it back.
func (s *shard) look(st *Stream) {
	switch {
	case st.slot == goneSlot:
	case st.slot == noSlot || st.isLent:
		st.mustLook = true
	default:
		s.advance(st)
	}
}

// receive becomes the owner of a stream, whose pump has returned st.result. A new
// stream gets a slot.
func (s *shard) receive(st *Stream) {
	if st.slot == noSlot {
		if err := s.register(st); err != nil {
			st.end(err)
			st.result = hasEnded
		}
	}
	st.isLent = false
	// A round may have passed the view before the stream joins its group.
	mustLook := st.mustLook || st.sub.View() != nil || st.seenChanges != s.writer.changes.Load()
	st.mustLook = false
	s.settle(st)
	if mustLook && st.slot != goneSlot && !st.isLent {
		s.advance(st)
	}
}

// register adds a new stream to the slots and to epoll.
func (s *shard) register(st *Stream) error {
	if n := len(s.freeSlots); n > 0 {
		st.slot, s.freeSlots = s.freeSlots[n-1], s.freeSlots[:n-1]
	} else {
		st.slot = int32(len(s.streams))
		s.streams = append(s.streams, nil)
	}
	s.streams[st.slot] = st
	s.count.Add(1)
	event := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: st.slot}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, st.fd, &event))
}

// advance writes what a stream with a view has to write. It lends a stream
// without one to a worker.
func (s *shard) advance(st *Stream) {
	if st.group == nil && !st.mustEnd() {
		s.lend(st, s.writer.recent)
		return
	}
	st.pump(&s.framer)
	s.settle(st)
}

// settle puts a stream where it belongs after a call of pump.
func (s *shard) settle(st *Stream) {
	if view := st.sub.View(); view != nil && st.group == nil && st.result != hasEnded {
		s.join(st, view)
	}
	delete(s.blocked, st)
	switch st.result {
	case isIdle:
		if st.group == nil {
			s.waiting[st] = struct{}{}
		}
	case isBlocked:
		s.blocked[st] = struct{}{}
	case hasMore:
		s.wake(st) // the other streams come first
	case isBehind:
		s.lend(st, s.writer.behind)
	case hasEnded:
		s.remove(st)
	}
}

// lend makes a worker the owner of a stream.
func (s *shard) lend(st *Stream, q *queue) {
	delete(s.waiting, st)
	delete(s.blocked, st)
	st.isLent = true
	q.push(st)
}

// join adds a stream to the group of its view.
func (s *shard) join(st *Stream, view *hub.View) {
	g := s.groups[view]
	if g == nil {
		g = &group{view: view}
		s.groups[view] = g
	}
	st.group, st.place = g, len(g.members)
	g.members = append(g.members, st)
}

// remove forgets a stream that has ended, and closes its connection.
func (s *shard) remove(st *Stream) {
	delete(s.waiting, st)
	s.streams[st.slot] = nil
	s.count.Add(-1)
	s.freeSlots = append(s.freeSlots, st.slot)
	st.slot = goneSlot
	if g := st.group; g != nil {
		last := g.members[len(g.members)-1]
		g.members[st.place], last.place = last, st.place
		g.members[len(g.members)-1] = nil
		if g.members = g.members[:len(g.members)-1]; len(g.members) == 0 {
			delete(s.groups, g.view)
		}
		st.group = nil
	}
	st.close()
}

// maxRest is the longest time that a shard waits between two rounds under load.
const maxRest = 5 * time.Millisecond

// round writes the new bytes of all views, and lets workers look at the streams
// without a view.
func (s *shard) round(start time.Time) {
	s.isDirty = false
	for view, g := range s.groups {
		end := view.End()
		if end == g.end {
			continue
		}
		g.end = end
		for i := 0; i < len(g.members); {
			st := g.members[i]
			if st.blockedSince.IsZero() {
				s.advance(st)
			}
			if i < len(g.members) && g.members[i] == st { // otherwise another stream has taken its place
				i++
			}
		}
	}
	for st := range s.waiting {
		s.lend(st, s.writer.recent)
	}
	took := time.Since(start)
	s.nextRound = start.Add(took + min(took, maxRest))
}

// endStalled ends the streams whose peers took too long for a chunk.
func (s *shard) endStalled(now time.Time) {
	for st := range s.blocked {
		if now.Sub(st.blockedSince) > st.writeTimeout {
			st.sub.MarkStalled()
			st.end(os.ErrDeadlineExceeded)
			s.advance(st)
		}
	}
}

// endAllStreams ends the streams that the shard owns, and those that it has lent
// when they come back.
func (s *shard) endAllStreams() {
	for _, st := range s.streams {
		if st != nil {
			st.isCut.Store(true)
			s.look(st)
		}
	}
}

// closeAll closes the connections of all streams that are left. It must be called
// after run and the workers have returned.
func (s *shard) closeAll() {
	s.mu.Lock()
	s.closed = true
	left := s.given
	s.mu.Unlock()
	for _, st := range s.streams {
		if st != nil {
			left = append(left, st)
		}
	}
	for _, st := range left {
		if st.fd != closedFD {
			st.end(context.Canceled)
			st.close()
		}
	}
}
