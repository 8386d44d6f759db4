package fanout

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bySubjects selects all rentals in a way that gives a stream no view.
var bySubjects = filter.Filter{Subjects: []string{"rental/*"}}

// fromOldest asks for all events.
var fromOldest = &wire.Cursor{}

// A testHub is a hub over a log in memory.
type testHub struct {
	*hub.Hub
	log eventlog.Log
}

// startHub runs a hub over an empty log until the test ends.
func startHub(t testing.TB, c hub.Config) *testHub {
	t.Helper()
	c.Log = memlog.New("k", time.Hour)
	h := &testHub{hub.New(c), c.Log}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return h
}

// startWriter runs a Writer with one shard until the test ends.
func startWriter(t testing.TB, h *testHub) *Writer {
	t.Helper()
	w, err := New(Config{Hub: h.Hub, Shards: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// newIdleWriter returns a Writer with one shard and without goroutines, so that a test
// chooses the order of their steps. The hub does not wake it.
func newIdleWriter(t testing.TB, h *testHub) (*Writer, *shard) {
	t.Helper()
	w := &Writer{config: Config{Hub: h.Hub}, recent: newQueue(), behind: newQueue(), stop: func() {}, cancel: func() {}}
	s, err := newShard(w)
	require.NoError(t, err)
	w.shards = []*shard{s}
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w, s
}

// publish stores an event about a rental, with a name of size bytes, and returns when the
// hub has handled it.
func publish(t testing.TB, h *testHub, size int) {
	t.Helper()
	e, err := event.RentalStatusUpdated(1, "active", "Ann")
	require.NoError(t, err)
	seq := h.Stats().Events + 1
	body := e.Stamp(fmt.Sprint(seq), time.Now()).AppendJSON(nil)
	// The log takes larger events than the hub.
	body = bytes.Replace(body, []byte("Ann"), bytes.Repeat([]byte("n"), size), 1)
	entry := eventlog.Entry{Type: e.Type, Subject: "rental/1", Key: fmt.Sprint(seq), Body: body}
	_, err = h.log.Append(t.Context(), entry)
	require.NoError(t, err)
	require.NoError(t, h.Await(t.Context(), uint64(seq)))
}

// A peer is the client's side of a stream.
type peer struct {
	testing.TB
	*Stream
	conn         *net.TCPConn
	writeTimeout time.Duration
	sub          *hub.Subscriber
	ends         atomic.Int32  // calls of Response.Ended
	ended        chan error    // gets the reason of the first
	body         *bufio.Reader // nil before the first frame is read
	d            wire.Decoder
	ready        []wire.Frame
}

const responseHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// connect returns both sides of a connection.
func connect(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, dialed.SetDeadline(time.Now().Add(time.Minute)))
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// newPeer opens a subscription of a manager. The caller must call start.
func newPeer(t testing.TB, w *Writer, r hub.Request) *peer {
	t.Helper()
	p := &peer{TB: t, Stream: w.NewStream(), ended: make(chan error, 10), writeTimeout: time.Minute}
	manager, err := access.NewGrant("1", "", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	r.Grant, r.Wake, r.Abort = manager, p.Wake, p.Abort
	p.sub, err = w.config.Hub.Subscribe(t.Context(), r)
	require.NoError(t, err)
	return p
}

// start starts the stream over a connection whose buffers hold few bytes if small is true.
func (p *peer) start(small bool) *peer {
	p.Helper()
	var server *net.TCPConn
	p.conn, server = connect(p)
	p.Cleanup(func() { p.conn.Close() })
	if small {
		require.NoError(p, p.conn.SetReadBuffer(32<<10))
		require.NoError(p, server.SetWriteBuffer(16<<10))
	}
	require.NoError(p, p.Start(server, p.sub, Response{
		IsChunked:    true,
		Head:         []byte(responseHead),
		WriteTimeout: p.writeTimeout,
		Ended: func(reason error) {
			p.ends.Add(1)
			p.sub.Leave()
			p.ended <- reason
		},
	}))
	return p
}

// next returns the next frame.
func (p *peer) next() wire.Frame {
	p.Helper()
	if p.body == nil {
		answer, err := http.ReadResponse(bufio.NewReader(p.conn), nil)
		require.NoError(p, err)
		p.body = bufio.NewReaderSize(answer.Body, 16)
	}
	for len(p.ready) == 0 {
		line, err := p.body.ReadBytes('\n')
		require.NoError(p, err)
		require.NoError(p, p.d.Feed(line, func(m wire.Message) {
			f, err := wire.ParseMessage(m)
			require.NoError(p, err)
			p.ready = append(p.ready, f)
		}))
	}
	f := p.ready[0]
	p.ready = p.ready[1:]
	return f
}

// requireEvents reads the events from one number to another, without a hole.
func (p *peer) requireEvents(from, to int) {
	p.Helper()
	for want := from; want <= to; {
		if e, ok := p.next().(*wire.Event); ok {
			require.EqualValues(p, want, e.Cursor.Seq)
			want++
		}
	}
}

// descriptors returns the number of descriptors of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(all)
}
