package fanout

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/wire"
)

// waitForBell waits for epoll without a stream, and reports whether the bell has rung.
func (s *shard) waitForBell(t *testing.T, milliseconds int) bool {
	t.Helper()
	for {
		n, err := unix.EpollWait(s.epoll, make([]unix.EpollEvent, 8), milliseconds)
		if err == nil {
			return n > 0
		}
		require.ErrorIs(t, err, unix.EINTR)
	}
}

// The shard must notice every change of its inbox, and the bell must be silent
// afterwards: otherwise the shard turns without an end.
func TestBellRingsForEachChangeAndIsSilentThen(t *testing.T) {
	_, s := newIdleWriter(t, startHub(t, hub.Config{}))
	for range 2000 {
		var posters sync.WaitGroup
		const changes = 3
		for range changes {
			posters.Go(func() { s.give(&Stream{fd: closedFD}) })
		}
		for received := 0; received < changes; {
			require.True(t, s.waitForBell(t, 20_000), "a change without a ring")
			received += len(s.take().given)
		}
		posters.Wait()
		s.waitForBell(t, 0) // a ring for a change that was already received
		s.take()
		require.False(t, s.waitForBell(t, 0), "the bell rings without an end")
	}
}

// receiveGiven makes a shard without a goroutine receive the streams in its inbox.
func (s *shard) receiveGiven() {
	for _, st := range s.take().given {
		s.receive(st)
	}
}

// A worker has served a stream up to the end of its view. Before the shard receives the
// stream, an event comes, and a round writes it to the other streams of the view. The
// stream must not wait for the next event.
func TestStreamThatJoinsAfterARoundMissesNothing(t *testing.T) {
	h := startHub(t, hub.Config{})
	w, s := newIdleWriter(t, h)
	early := newPeer(t, w, hub.Request{}).start(false)
	s.receiveGiven()
	late := newPeer(t, w, hub.Request{}).start(false) // Start has read the view to its end
	require.NotNil(t, late.sub.View())
	publish(t, h, 0)
	s.round(time.Now())
	early.requireEvents(1, 1)
	s.receiveGiven()
	w.changes.Add(1)
	s.round(time.Now())
	require.NoError(t, late.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	late.requireEvents(1, 1)
}

// A stream is woken, aborted and closed by its peer while its shard does not know it
// yet, and while a worker has it. It must end, once, and with the right reason.
func TestStreamEndsWhoeverOwnsIt(t *testing.T) {
	h := startHub(t, hub.Config{})
	publish(t, h, 0)
	for name, c := range map[string]struct {
		happens func(p *peer)
		reason  error // nil if the stream goes on
	}{
		"wake":  {func(p *peer) { p.Wake() }, nil},
		"abort": {func(p *peer) { p.Abort() }, os.ErrDeadlineExceeded},
		"peer":  {func(p *peer) { p.conn.Close() }, context.Canceled},
		"bye":   {func(p *peer) { p.sub.Close(wire.Bye{Reason: wire.ByeStop}) }, &hub.ClosedError{}},
	} {
		for _, owner := range []string{"start", "shard", "worker"} {
			t.Run(name+" at "+owner, func(t *testing.T) {
				w, s := newIdleWriter(t, h)
				turn := func() { // what run does without waiting
					events := make([]unix.EpollEvent, 8)
					n, err := unix.EpollWait(s.epoll, events, 10)
					if err != nil {
						require.ErrorIs(t, err, unix.EINTR)
					}
					in := s.take()
					for _, event := range events[:max(n, 0)] {
						s.handleEvent(event)
					}
					for _, st := range in.given {
						s.receive(st)
					}
					for _, st := range in.woken {
						s.look(st)
					}
				}
				p := newPeer(t, w, hub.Request{Filter: bySubjects, After: fromOldest}).start(false)
				if owner != "start" {
					turn()
					require.Contains(t, s.waiting, p.Stream)
				}
				if owner == "worker" {
					s.round(time.Now()) // lends the streams without a view
					require.True(t, p.isLent)
				}
				c.happens(p)
				var f framer
				for range 5 {
					turn()
					for len(w.recent.waiting) > 0 {
						w.serve(w.recent.pop(), &f)
					}
				}
				if c.reason == nil {
					require.Zero(t, p.ends.Load())
					require.Contains(t, s.waiting, p.Stream)
					return
				}
				require.EqualValues(t, 1, p.ends.Load())
				require.IsType(t, c.reason, p.err)
				var bye *hub.ClosedError
				if !errors.As(c.reason, &bye) {
					require.ErrorIs(t, <-p.ended, c.reason)
				}
				require.Empty(t, s.waiting)
				require.Empty(t, s.blocked)
				require.Equal(t, []*Stream{nil}, s.streams)
				require.Len(t, s.freeSlots, 1)
			})
		}
	}
}

// Streams belong to a shard, a worker or their starter when the Writer is closed. Close must end
// each of them once, and close its descriptor.
func TestCloseEndsTheStreamsOfEveryOwner(t *testing.T) {
	h := startHub(t, hub.Config{})
	publish(t, h, 0)
	w, s := newIdleWriter(t, h)
	waiting := newPeer(t, w, hub.Request{Filter: bySubjects}).start(false)
	inView := newPeer(t, w, hub.Request{}).start(false)
	blocked := newPeer(t, w, hub.Request{}).start(true)
	s.receiveGiven()
	for len(s.blocked) == 0 {
		publish(t, h, 60_000)
		s.round(time.Now())
	}
	require.Contains(t, s.blocked, blocked.Stream)
	given := newPeer(t, w, hub.Request{}).start(false)
	peers := []*peer{waiting, inView, blocked, given}
	require.True(t, waiting.isLent, "round has lent it")
	before := descriptors(t)
	require.NoError(t, w.Close())
	for _, p := range peers {
		require.EqualValues(t, 1, p.ends.Load())
		require.ErrorIs(t, <-p.ended, context.Canceled)
	}
	require.Equal(t, before-len(peers)-2, descriptors(t), "the shard has two descriptors")
	// From here on the numbers of the descriptors may belong to others.
	waiting.Wake()
	late := newPeer(t, w, hub.Request{}).start(false)
	require.ErrorIs(t, <-late.ended, context.Canceled)
	w.wakeAll()
	w.EndAll()
	w.shards = nil // closed
}
