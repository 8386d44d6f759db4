package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A countingLog counts the requests for records and for bounds.
type countingLog struct {
	eventlog.Log
	reads, bounds atomic.Int64
}

func (l *countingLog) Read(
	ctx context.Context, after uint64, limit int, s eventlog.Selection,
) (eventlog.Page, error) {
	l.reads.Add(1)
	return l.Log.Read(ctx, after, limit, s)
}

func (l *countingLog) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	l.bounds.Add(1)
	return l.Log.Bounds(ctx)
}

// Many streams that resume at once, a thousand events behind, are served from memory.
func TestResumeStormReadsNothingFromTheLog(t *testing.T) {
	overBothWriters(t, func(t *testing.T, change func(string, *Config)) {
		const streams, behind = 200, 1000
		log := &countingLog{Log: memlog.New("k", time.Hour)}
		s := newTestBrokerWith(t, log, func(dir string, c *Config) {
			c.Limits = Limits{PublishRate: 1e9, PerCredential: 2 * streams}
			if change != nil {
				change(dir, c)
			}
		})
		var batch []string
		for i := range behind {
			const overdue = `{"type":"rental_overdue","data":{"rental_id":%d,"days_overdue":1}}`
			batch = append(batch, fmt.Sprintf(overdue, i+1))
		}
		answer, body := s.send("POST", "/api/sse", "["+strings.Join(batch, ",")+"]", s.bearer(access.Service), isBatch)
		require.Equal(t, 201, answer.StatusCode, body)
		require.NoError(t, s.api.Hub.Await(t.Context(), behind))
		head := "Host: localhost\r\n" + s.bearer(access.Manager)

		reads, bounds := log.reads.Load(), log.bounds.Load()
		var running sync.WaitGroup
		for range streams {
			running.Go(func() {
				c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err == nil {
					defer c.Close()
					_, err = fmt.Fprintf(c, "GET /api/sse?after=k-0 HTTP/1.1\r\n%s\r\n\r\n", head)
				}
				n := 0
				for lines := bufio.NewReader(c); err == nil && n < behind; {
					var line string
					if line, err = lines.ReadString('\n'); strings.HasPrefix(line, "event: rental_overdue") {
						n++
					}
				}
				if err != nil {
					t.Errorf("after %d events: %v", n, err)
				}
			})
		}
		running.Wait()
		require.Equal(t, reads, log.reads.Load(), "reads of the log")
		// The hub asks for the bounds from time to time, but not for each stream.
		require.Less(t, log.bounds.Load(), bounds+streams/10, "requests for the log's bounds")
		waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Connections == 0 }, time.Minute, time.Millisecond)
	})
}
