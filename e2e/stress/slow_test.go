package stress

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/testkit"
)

// One subscriber never reads, and one in twenty reads 1 KB a second. The others receive events about as fast as
// without them, and the memory of the broker stays bounded. The broker closes and counts the slow ones, and they miss
// nothing when they resume.
func TestSlowReadersHarmNobody(t *testing.T) {
	var (
		live   = testkit.ForFullRun(20, 200)
		every  = testkit.ForFullRun(50*time.Millisecond, 200*time.Millisecond)
		events = testkit.ForFullRun(80, 60)  // of each tick
		ticks  = testkit.ForFullRun(40, 150) // at least, so that a few late ones do not decide
		rounds = testkit.ForFullRun(1, 3)
	)
	slow := 1 + live/20
	l := startLoad(t, live, live+slow)
	l.run(every, events, func(n int) bool { return n == ticks/4 }) // fills pools
	var alone, beside []time.Duration
	for round := range rounds {
		alone = append(alone, l.run(every, events, func(n int) bool { return n == ticks }))
		memory := l.sumMetrics("process_resident_memory_bytes")
		closed := func() int { return int(l.sumMetrics("yardline_slow_closed_total")) - round*slow }
		resume := startSlowReaders(t, l, live, slow)
		highest := memory
		beside = append(beside, l.run(every, events, func(n int) bool {
			highest = max(highest, l.sumMetrics("process_resident_memory_bytes"))
			return n >= ticks && closed() == slow || n == 10*ticks
		}))
		require.Equal(t, slow, closed(), "the broker closes and counts all slow readers, and only them")
		// The views' logs are shared, so slow readers cost what the broker keeps for the slowest, a few MB.
		require.Less(t, highest, memory+64<<20, "the memory of the broker, in bytes")
		t.Logf("memory %.0f MB, at most %.0f MB beside slow readers", memory/1e6, highest/1e6)
		resume()
	}
	slices.Sort(alone)
	slices.Sort(beside)
	before, during := alone[rounds/2], beside[rounds/2]
	t.Logf("99 %% of the events came within %v, and beside slow readers within %v", before, during)
	if testkit.IsFullRun {
		require.Less(t, during, before*12/10)
	}
	require.Less(t, during, 5*before+100*time.Millisecond, "a slow reader delays the others")
}

// A slowConn reads 1 KB a tick until it is released.
type slowConn struct {
	net.Conn
	ticks    <-chan time.Time // nil: it reads nothing
	released <-chan struct{}
}

func (c slowConn) Read(p []byte) (int, error) {
	select {
	case <-c.ticks:
		return c.Conn.Read(p[:min(len(p), 1<<10)])
	case <-c.released:
		return c.Conn.Read(p)
	}
}

// startSlowReaders opens n streams after the newest event. The first is never read, and the others are read at 1 KB a
// second. The function that it returns reads what is left of each stream, which the broker must have closed. Each
// reader then resumes after its last event, and must get all that follow.
func startSlowReaders(t *testing.T, l *load, first, n int) (resume func()) {
	t.Helper()
	released := make(chan struct{})
	var running sync.WaitGroup
	readers := make([]*reader, n)
	after := l.last
	for i := range readers {
		conn, err := l.crowd.dial(first+i, after, 4096)
		require.NoError(t, err)
		slow := slowConn{Conn: conn, released: released}
		if i > 0 {
			ticker := time.NewTicker(time.Second)
			t.Cleanup(ticker.Stop)
			slow.ticks = ticker.C
		}
		readers[i] = &reader{conn: slow, cursor: after}
		running.Go(func() {
			defer conn.Close()
			if err := readers[i].read(1<<62, nil); errors.Is(err, errOrder) {
				t.Errorf("a slow reader: %v", err)
			}
		})
	}
	return func() {
		t.Helper()
		close(released)
		running.Wait()
		for i, r := range readers {
			require.Less(t, r.cursor.Seq, l.last.Seq, "the reader had missed nothing")
			conn, err := l.crowd.dial(first+i, r.cursor, 0)
			require.NoError(t, err)
			again := &reader{conn: conn, cursor: r.cursor}
			require.NoError(t, again.read(l.last.Seq, nil))
			conn.Close()
		}
	}
}
