package stress

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/wire"
)

// When thousands of readers resume at once, a thousand events behind, each gets all that it has missed. The delays of
// the live readers at most double meanwhile.
func TestResumeStormDelaysLiveReadersLittle(t *testing.T) {
	const live = 50
	var (
		size   = testkit.ForFullRun(200, 5000)
		rounds = testkit.ForFullRun(1, 3)
		quiet  = testkit.ForFullRun(20, 100) // ticks
	)
	l := startLoad(t, live, live+size)
	var alone, beside []time.Duration
	for range rounds {
		alone = append(alone, l.run(50*time.Millisecond, 0, func(n int) bool { return n == quiet }))
		behind := l.last
		l.run(10*time.Millisecond, 99, func(n int) bool { return n == 10 })
		target := l.last
		start, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			resumeAll(t, l, live, size, behind, target)
		}()
		beside = append(beside, l.run(50*time.Millisecond, 0, func(n int) bool {
			select {
			case <-done:
				return n > 0
			default:
				return false
			}
		}))
		t.Logf("%d readers resumed within %v", size, time.Since(start))
	}
	slices.Sort(alone)
	slices.Sort(beside)
	before, during := alone[rounds/2], beside[rounds/2]
	t.Logf("99 %% of the events came within %v, and during the storm within %v", before, during)
	if testkit.IsFullRun {
		require.Less(t, during, 2*before)
	}
	require.Less(t, during, 10*before+200*time.Millisecond, "a storm delays the live readers")
}

// resumeAll opens n streams after the cursor behind and reads each up to the cursor target. It does not decode most
// of them, because that would take the processor from the broker.
func resumeAll(t *testing.T, l *load, first, n int, behind, target wire.Cursor) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			conn, err := l.crowd.dial(first+i, behind, 0)
			if err != nil {
				t.Errorf("reader %d: %v", i, err)
				return
			}
			defer conn.Close()
			if i%50 == 0 {
				err = (&reader{conn: conn}).read(target.Seq, nil)
			} else {
				err = skipTo(conn, target)
			}
			if err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	running.Wait()
}

// skipTo reads a stream, without decoding it, until it has the event with a cursor.
func skipTo(conn net.Conn, target wire.Cursor) error {
	wanted := fmt.Appendf(nil, "id: %s\n", target)
	buffer := make([]byte, 32<<10)
	kept := 0 // bytes at the beginning of the buffer, which may have the first part of wanted
	for {
		n, err := conn.Read(buffer[kept:])
		if bytes.Contains(buffer[:kept+n], wanted) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("without event %s: %w", target, io.ErrUnexpectedEOF)
		}
		end := buffer[:kept+n]
		kept = copy(buffer, end[max(0, len(end)-len(wanted)+1):])
	}
}
