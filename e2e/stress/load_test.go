package stress

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// A load is a broker with readers that read at once and measure.
type load struct {
	t       *testing.T
	s       *stack.Stack
	crowd   *crowd
	probes  probes
	readers []*reader
	last    wire.Cursor // of the last event that was published
}

// startLoad starts a broker with live readers. The crowd has room for n streams. At the end of the test, each live
// reader must have every event.
func startLoad(t *testing.T, live, n int) *load {
	s := stack.Start(t, "--publish-rate", "1000000")
	l := &load{t: t, s: s, crowd: newCrowd(t, s, n)}
	var running sync.WaitGroup
	started := make(chan struct{}, 2*live)
	for i := range live {
		conn, err := l.crowd.dial(i, wire.Cursor{}, 0)
		require.NoError(t, err)
		r := &reader{conn: conn, probes: &l.probes}
		l.readers = append(l.readers, r)
		running.Go(func() {
			if err := r.read(1<<62, func() { started <- struct{}{} }); t.Context().Err() == nil {
				t.Errorf("a live reader: %v", err)
			}
			started <- struct{}{} // It has failed, if the test waits for it.
		})
	}
	for range live {
		<-started
	}
	t.Cleanup(func() {
		for _, r := range l.readers {
			r.conn.Close()
		}
		running.Wait()
	})
	return l
}

// run publishes n events of about half a KB in a batch at each tick, behind a probe, until isDone returns true. It
// returns the 99th percentile of the probes' delays, when all live readers have them.
func (l *load) run(every time.Duration, n int, isDone func(ticks int) bool) (p99 time.Duration) {
	l.t.Helper()
	l.probes.mu.Lock()
	l.probes.sent, l.probes.delays = nil, nil
	l.probes.mu.Unlock()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	notes := strings.Repeat("n", 480)
	ticks := 0
	for ; !isDone(ticks); ticks++ {
		<-ticker.C
		batch := []json.RawMessage{json.RawMessage(l.probes.next())}
		for i := range n {
			batch = append(batch, fmt.Appendf(nil,
				`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active","notes":%q}}`, i+1, notes))
		}
		for part := range slices.Chunk(batch, 1000) {
			l.last = testkit.PublishAll(l.t, l.s, part)
		}
	}
	for _, r := range l.readers {
		waittest.Eventually(l.t, func() bool { return r.reached.Load() >= l.last.Seq }, testkit.Soon, time.Millisecond)
	}
	l.probes.mu.Lock()
	defer l.probes.mu.Unlock()
	require.Len(l.t, l.probes.delays, ticks*len(l.readers))
	slices.Sort(l.probes.delays)
	return l.probes.delays[len(l.probes.delays)*99/100]
}

// metrics returns the broker's metrics as text.
func (l *load) metrics() string {
	l.t.Helper()
	answer := testkit.Get(l.t, http.DefaultClient, l.s.URL+"/metrics", l.s.TokenFor("admin", 0, access.Admin))
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(l.t, err)
	return string(text)
}

// sumMetrics returns the sum of the metrics whose names, with labels, begin with a prefix.
func (l *load) sumMetrics(prefix string) (sum float64) {
	l.t.Helper()
	for line := range strings.Lines(l.metrics()) {
		if name, value, found := strings.Cut(line, " "); found && strings.HasPrefix(name, prefix) {
			var v float64
			_, err := fmt.Sscan(value, &v)
			require.NoError(l.t, err)
			sum += v
		}
	}
	return sum
}
