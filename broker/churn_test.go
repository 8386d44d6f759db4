package broker

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// Clients connect and abort ten thousand times, in every way, while events come. The
// goroutines, descriptors and memory must then be as they were before.
func TestAbortedConnectionsLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, stop := start(t, Config{Demo: true, DemoRate: 50, Limits: httpapi.Limits{PerCredential: 10_000}})
	defer stop()
	<-b.hub.Ready()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 456)
	require.NoError(t, err)
	token, err := b.CreateToken(g, time.Hour)
	require.NoError(t, err)

	churn(t, b, token, 1000) // fills caches and pools
	before := measureUsage(t, b)
	churn(t, b, token, 10_000)
	var after usage
	waittest.Eventually(t, func() bool {
		after = measureUsage(t, b)
		return after.goroutines <= before.goroutines+slack && after.descriptors <= before.descriptors+slack
	}, time.Minute, 50*time.Millisecond, "%+v, before %+v", &after, before)
	t.Logf("before %+v, after %+v", before, after)
	require.LessOrEqual(t, after.heap, before.heap+max(before.heap/20, 2<<20))
}

// slack is how many more goroutines or descriptors the runtime and the log may have for
// a moment.
const slack = 10

// usage holds the resources that the process uses.
type usage struct {
	goroutines, descriptors int
	heap                    uint64 // in bytes, after a garbage collection
}

// measureUsage waits until no connection is open, and then measures.
func measureUsage(t *testing.T, b *Broker) usage {
	t.Helper()
	waittest.Eventually(t, func() bool { return b.hub.Stats().Connections == 0 }, time.Minute, 10*time.Millisecond)
	descriptors, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	runtime.GC()
	runtime.GC() // collects what finalizers released
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), len(descriptors), m.HeapAlloc}
}

// churn opens n connections, a hundred at a time, and aborts each: two in three after the
// first line of the answer, where one is expected, and one in three at once.
func churn(t *testing.T, b *Broker, token string, n int) {
	t.Helper()
	address, next := b.listener.Addr().String(), atomic.Int64{}
	head := "Host: localhost\r\nAuthorization: Bearer " + token + "\r\n"
	requests := []string{
		"GET /api/sse?after=oldest HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/sse?types=payment_received HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/ws HTTP/1.1\r\n" + head + "Connection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
			"Sec-WebSocket-Protocol: yardline.v1\r\n\r\n",
		"GET /api/events?after=oldest&wait=30&types=sync_progress HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/sse?subjects=rental/1 HTTP/1.1\r\n" + head + "\r\n",
		"POST /api/sse HTTP/1.1\r\n" + head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
	}
	var clients sync.WaitGroup
	for range 100 {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := abort(address, requests[i%int64(len(requests))], i%3 > 0); err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	clients.Wait()
}

// abort sends a request and resets the connection. With readLine it first reads a line of
// the answer, unless the broker does not answer this request at once.
func abort(address, request string, readLine bool) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	if !readLine || strings.HasPrefix(request, "POST") || strings.Contains(request, "wait=") {
		return nil
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.Contains(line, " 200 ") && !strings.Contains(line, " 101 ") {
		err = fmt.Errorf("answered %q", line)
	}
	return err
}
