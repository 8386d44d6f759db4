package broker

import (
	"bufio"
	"context"
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
)

// TestCheck9Churn connects and aborts ten thousand times, on every path out, while
// events come: goroutines and descriptors are back afterwards, and the memory
// too.
func TestCheck9Churn(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Demo: true, DemoRate: 50,
		Limits: httpapi.Limits{PerCredential: 10_000}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, b.Close())
	}()
	<-b.hub.Ready()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 456)
	require.NoError(t, err)
	token, err := b.CreateToken(g, time.Hour)
	require.NoError(t, err)

	churn(t, b, token, 1000) // what is made once and kept
	before := usageOf(t, b)
	churn(t, b, token, 10_000)
	var after usage
	require.Eventually(t, func() bool {
		after = usageOf(t, b)
		return after.goroutines <= before.goroutines+slack && after.descriptors <= before.descriptors+slack
	}, time.Minute, 50*time.Millisecond, "%+v, before %+v", &after, before)
	t.Logf("before %+v, after %+v", before, after)
	require.LessOrEqual(t, after.heap, before.heap+max(before.heap/20, 2<<20))
}

// slack is what the runtime and the log may have more for a moment.
const slack = 10

// usage is what a process holds.
type usage struct {
	goroutines, descriptors int
	heap                    uint64 // bytes in use after a collection
}

func usageOf(t *testing.T, b *Broker) usage {
	require.Eventually(t, func() bool { return b.hub.Stats().Connections == 0 }, time.Minute, 10*time.Millisecond)
	descriptors, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), len(descriptors), m.HeapAlloc}
}

// churn opens n connections, some hundred at once, reads a little of each and
// aborts it: one in three in the middle of a request.
func churn(t *testing.T, b *Broker, token string, n int) {
	t.Helper()
	address, next := b.listener.Addr().String(), atomic.Int64{}
	head := "Host: localhost\r\nAuthorization: Bearer " + token + "\r\n"
	requests := []string{
		"GET /api/sse?after=oldest HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/sse?types=payment_received HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/ws HTTP/1.1\r\n" + head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: yardline.v1\r\n\r\n",
		"GET /api/events?after=oldest&wait=30&types=sync_progress HTTP/1.1\r\n" + head + "\r\n",
		"GET /api/sse?subjects=rental/1 HTTP/1.1\r\n" + head + "\r\n",
		"POST /api/sse HTTP/1.1\r\n" + head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := abort(address, requests[i%int64(len(requests))], i%3 > 0); err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// abort sends a request and resets the connection, after the first line of
// the answer if it waits for one.
func abort(address, request string, wait bool) error {
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
	if !wait || strings.HasPrefix(request, "POST") || strings.Contains(request, "wait=") {
		return nil
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.Contains(line, " 200 ") && !strings.Contains(line, " 101 ") {
		err = fmt.Errorf("answered %q", line)
	}
	return err
}
