package broker

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// Five hundred clients who join at once and receive gzip need little more memory than
// those who do not. A compressor for each of them would take 400 MB.
func TestJoinersOfGzipStreamsNeedLittleMemory(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, stop := start(t, Config{Demo: true, DemoRate: 50, GzipStreams: true,
		Limits: httpapi.Limits{PerCredential: 10_000}})
	defer stop()
	<-b.hub.Ready()
	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 456)
	require.NoError(t, err)
	token, err := b.CreateToken(g, time.Hour)
	require.NoError(t, err)

	const joiners = 500
	for range 3 {
		joinAtOnce(t, b, token, "identity", joiners)
	}
	before := reservedMemory()
	joinAtOnce(t, b, token, "gzip", joiners)
	more := reservedMemory() - before
	t.Logf("%d KB more with gzip", more>>10)
	require.LessOrEqual(t, more, int64(24<<20))
}

// reservedMemory returns the most memory that the heap and the stacks have had so far, in
// bytes.
func reservedMemory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapSys + m.StackSys)
}

// joinAtOnce opens streams of an encoding from the oldest event, and closes them when all
// have received their first events.
func joinAtOnce(t *testing.T, b *Broker, token, encoding string, joiners int) {
	t.Helper()
	request := fmt.Sprintf("GET /api/sse?after=oldest HTTP/1.1\r\nHost: localhost\r\n"+
		"Authorization: Bearer %s\r\nAccept-Encoding: %s\r\n\r\n", token, encoding)
	conns := make([]net.Conn, joiners)
	for i := range conns {
		c, err := net.Dial("tcp", b.listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		conns[i] = c
	}
	var clients sync.WaitGroup
	for _, c := range conns {
		clients.Go(func() {
			// The head, hello and the first events have more than a kilobyte, also in gzip.
			var got [1 << 10]byte
			_, err := c.Write([]byte(request))
			for n := 0; n < len(got) && err == nil; {
				var more int
				more, err = c.Read(got[n:])
				n += more
			}
			isGzip := bytes.Contains(got[:], []byte("Content-Encoding: gzip"))
			if err != nil || !bytes.HasPrefix(got[:], []byte("HTTP/1.1 200 ")) || isGzip != (encoding == "gzip") {
				t.Errorf("received %q (%v)", got, err)
			}
		})
	}
	clients.Wait()
	waittest.Eventually(t, func() bool { return b.hub.Stats().Connections == joiners }, time.Minute, time.Millisecond)
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
	waittest.Eventually(t, func() bool { return b.hub.Stats().Connections == 0 }, time.Minute, time.Millisecond)
}
