package httpapi

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// A stream and a WebSocket whose clients never read are closed and counted. They delay
// neither the publisher nor another reader, which receives all events.
func TestReadersThatNeverReadAreClosed(t *testing.T) {
	overBothWriters(t, testReadersThatNeverReadAreClosed)
}

func testReadersThatNeverReadAreClosed(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, unlimited)
	s.api.timeouts.write, s.api.timeouts.ping = 5*time.Minute, 5*time.Minute // the lag closes them, not a timeout
	manager, service := s.bearer(access.Manager), s.bearer(access.Service)
	for _, head := range []string{"GET /api/sse HTTP/1.1",
		"GET /api/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: yardline.v1"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "%s\r\nHost: localhost\r\n%s\r\n\r\n", head, manager)
		require.NoError(t, err)
	}
	reader := s.socket("/api/ws", manager)
	waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Connections == 3 }, 20*time.Second, time.Millisecond)
	events := make(chan int, 1)
	go func() {
		n := 0
		for {
			f, err := reader.next()
			if err != nil {
				events <- n
				return
			}
			if e, ok := f.(*wire.Event); ok {
				if n++; int(e.Cursor.Seq) != n {
					t.Errorf("event %d came as number %d", e.Cursor.Seq, n)
				}
			}
		}
	}()
	notes := strings.Repeat("n", 480)
	published := 0
	waittest.Eventually(t, func() bool {
		var batch []string
		for range 1000 {
			published++
			batch = append(batch, fmt.Sprintf(
				`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active","notes":%q}}`,
				published, notes))
		}
		answer, body := s.send("POST", "/api/sse", "["+strings.Join(batch, ",")+"]", service, isBatch)
		require.Equal(t, 201, answer.StatusCode, body)
		return s.api.Hub.Stats().Connections == 1
	}, time.Minute, time.Millisecond)
	_, text := s.send("GET", "/metrics", "", s.bearer(access.Admin))
	require.Contains(t, text, `yardline_slow_closed_total{cause="lag"} 2`)
	// A receipt does not wait longer than a second for the hub, which may be later on a busy machine.
	inTime, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.api.Hub.Await(inTime, uint64(published)))
	waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Open[0].Lag == 0 }, time.Minute, time.Millisecond)
	hello := s.api.Hub.Stats().Open[0].ID
	s.send("POST", "/api/connections/"+hello+"/close", "", s.bearer(access.Admin))
	require.Equal(t, published, <-events)
	t.Logf("closed after %d events", published)
}
