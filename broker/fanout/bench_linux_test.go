package fanout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/hub"
)

// startCrowd starts n streams of one view, whose peers do not read.
func startCrowd(tb testing.TB, w *Writer, s *shard, n int) []*peer {
	tb.Helper()
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = newPeer(tb, w, hub.Request{}).start(false)
	}
	s.receiveGiven()
	require.Len(tb, s.groups, 1)
	return peers
}

// The shard writes what is new to each stream without allocating memory.
func TestDeliveriesAllocateNothing(t *testing.T) {
	h := startHub(t, hub.Config{})
	w, s := newIdleWriter(t, h)
	peers := startCrowd(t, w, s, 102)
	publish(t, h, 100)
	next := 0
	allocations := testing.AllocsPerRun(len(peers)-2, func() {
		s.advance(peers[next].Stream)
		next++
	})
	require.Zero(t, allocations)
	for _, p := range peers[:next] {
		p.requireEvents(1, 1)
	}
}

// BenchmarkRound measures the delivery of an event to 200 streams of a view. The time has
// the writes to the sockets, and no allocations of the publication.
func BenchmarkRound(b *testing.B) {
	h := startHub(b, hub.Config{})
	w, s := newIdleWriter(b, h)
	peers := startCrowd(b, w, s, 200)
	buffer := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		publish(b, h, 100)
		b.StartTimer()
		s.round(time.Now())
		b.StopTimer()
		for _, p := range peers { // keeps the sockets from being full
			_, err := p.conn.Read(buffer)
			require.NoError(b, err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(peers)), "ns/delivery")
}
