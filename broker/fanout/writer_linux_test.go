package fanout

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/telemetry"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// The socket takes a few bytes at a time. The stream must be whole nevertheless: with
// frames that are larger than a chunk, and from the log, the ring and the view.
func TestPartialWritesKeepStreamsWhole(t *testing.T) {
	h := startHub(t, hub.Config{Ring: 4})
	const before, after = 12, 12
	for range before {
		publish(t, h, rand.IntN(100_000))
	}
	w := startWriter(t, h)
	peers := []*peer{
		newPeer(t, w, hub.Request{After: fromOldest}).start(true),
		newPeer(t, w, hub.Request{After: fromOldest, Filter: bySubjects}).start(true),
		newPeer(t, w, hub.Request{After: &wire.Cursor{Epoch: "k", Seq: before - 2}}).start(true),
	}
	var reading sync.WaitGroup
	for i, p := range peers {
		reading.Go(func() { p.requireEvents([]int{1, 1, before - 1}[i], before+after) })
	}
	for range after {
		publish(t, h, rand.IntN(100_000))
	}
	reading.Wait()
	h.Drain()
	for _, p := range peers {
		for {
			if bye, ok := p.next().(*wire.Bye); ok {
				require.Equal(t, wire.ByeDrain, bye.Reason)
				break
			}
		}
		_, err := p.body.ReadByte()
		require.EqualError(t, err, "EOF", "the body must be complete")
		var closed *hub.ClosedError
		require.ErrorAs(t, <-p.ended, &closed)
	}
}

// A slowCounter tells why slow readers were closed.
type slowCounter struct {
	*telemetry.Metrics
	causes chan string
}

func (c *slowCounter) Slow(cause string) { c.causes <- cause }

// A peer that does not read is closed after the time for one chunk, and counted.
func TestStalledPeersAreClosed(t *testing.T) {
	observer := &slowCounter{telemetry.New(), make(chan string, 10)}
	h := startHub(t, hub.Config{Observer: observer, MaxLag: 1 << 40})
	w := startWriter(t, h)
	quick, stalled := newPeer(t, w, hub.Request{}).start(false), newPeer(t, w, hub.Request{})
	stalled.writeTimeout = 10 * time.Millisecond
	stalled.start(true)
	n := 0
	waittest.Eventually(t, func() bool {
		n++
		publish(t, h, 30_000)
		quick.requireEvents(n, n)
		return stalled.ends.Load() > 0
	}, 30*time.Second, time.Millisecond)
	require.ErrorIs(t, <-stalled.ended, os.ErrDeadlineExceeded)
	require.Equal(t, hub.CauseStalledWrite, <-observer.causes)
	require.Empty(t, observer.causes)
}

// After many streams have come and gone in every way, no descriptor, stream or entry of a
// shard is left.
func TestNothingIsLeftOfStreamsThatHaveGone(t *testing.T) {
	h := startHub(t, hub.Config{})
	w := startWriter(t, h)
	before := descriptors(t)
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 60 {
				r := hub.Request{After: []*wire.Cursor{nil, fromOldest}[random.IntN(2)]}
				if random.IntN(2) == 0 {
					r.Filter = bySubjects
				}
				p := newPeer(t, w, r).start(random.IntN(2) == 0)
				switch random.IntN(4) {
				case 0:
					p.Abort()
				case 1:
					p.sub.Close(wire.Bye{Reason: wire.ByeStop})
				case 2:
					p.conn.SetLinger(0)
				}
				p.conn.Close()
				<-p.ended
				if n := p.ends.Load(); n != 1 {
					t.Errorf("a stream ended %d times", n)
				}
			}
		})
	}
	for range 200 {
		publish(t, h, 1000)
	}
	running.Wait()
	waittest.Eventually(t, func() bool { return descriptors(t) <= before }, 20*time.Second, time.Millisecond)
	require.Zero(t, h.Stats().Connections)
	require.NoError(t, w.Close())
	s := w.shards[0]
	require.Empty(t, s.groups)
	require.Empty(t, s.waiting)
	require.Empty(t, s.blocked)
	require.Len(t, s.freeSlots, len(s.streams))
	w.shards = nil // closed
}

// A connection without a descriptor is refused and closed.
func TestConnectionsWithoutADescriptorAreRefused(t *testing.T) {
	w := startWriter(t, startHub(t, hub.Config{}))
	p := newPeer(t, w, hub.Request{})
	defer p.sub.Leave()
	client, server := net.Pipe()
	require.Error(t, p.Start(server, p.sub, Response{}))
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}
