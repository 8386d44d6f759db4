package httpapi

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

func TestAcceptsGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"":                        false,
		"gzip":                    true,
		"br, GZIP;q=0.5":          true,
		"x-gzip":                  true,
		"*":                       true,
		"*;q=0, gzip;q=1":         true,
		"gzip ; q = 0, *":         false,
		"gzip;q=0.000":            false,
		"identity, br;q=1, *;q=0": false,
		"deflate, br":             false,
	} {
		require.Equal(t, want, acceptsGzip(http.Header{"Accept-Encoding": {value}}), value)
	}
	require.True(t, acceptsGzip(http.Header{"Accept-Encoding": {"br", "gzip"}}), "two lines")
}

// A stream is compressed if the client accepts gzip and the operator allows it. An answer
// that is not a stream never is.
func TestContentEncodingOfStreams(t *testing.T) {
	overBothWriters(t, func(t *testing.T, change func(string, *Config)) {
		const accept, refuse = "Accept-Encoding: gzip", "Accept-Encoding: identity"
		for _, allowed := range []bool{true, false} {
			s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
				c.GzipStreams = allowed
				if change != nil {
					change(dir, c)
				}
			})
			manager := s.bearer(access.Manager)
			for _, method := range []string{"GET", "HEAD"} {
				for encoding, want := range map[string]bool{accept: allowed, refuse: false} {
					head := method + " /api/sse HTTP/1.1\nHost: localhost\n"
					_, r := s.rawRequest(head + manager + "\n" + encoding + "\n\n")
					answer, err := http.ReadResponse(r, &http.Request{Method: method})
					require.NoError(t, err)
					require.Equal(t, 200, answer.StatusCode)
					require.Equal(t, want, answer.Header.Get("Content-Encoding") == "gzip", "%s %s", method, encoding)
					require.Equal(t, allowed, slices.Contains(answer.Header.Values("Vary"), "Accept-Encoding"))
					require.Empty(t, answer.Header.Get("Content-Length"))
				}
			}
			for _, refused := range []string{"/api/sse?after=x", "/api/sse?types=x"} {
				answer, body := s.send("GET", refused, "", manager, accept)
				require.Equal(t, 400, answer.StatusCode, body)
				require.Empty(t, answer.Header.Get("Content-Encoding"))
				require.Contains(t, body, `"code"`)
			}
			s.api.Hub.Drain()
			answer, body := s.send("GET", "/api/sse", "", manager, accept)
			require.Equal(t, 503, answer.StatusCode, body)
			require.Empty(t, answer.Header.Get("Content-Encoding"))
		}
	})
}

// A gzipStream is a client that decodes a stream. A goroutine records what arrives.
type gzipStream struct {
	t     *testing.T
	user  int
	after int           // sequence of the event before its first one
	gate  chan struct{} // has an element while the client must not read
	slow  bool          // the test has put an element into gate
	ended chan struct{} // closed when the stream has ended

	mu         sync.Mutex // guards all below
	connection string
	seqs       []int
	bye        wire.Reason // "" without a goodbye
	err        error       // nil if the end of the compressed data was right
}

// read records the frames of an answer until it ends.
func (g *gzipStream) read(answer *http.Response) {
	defer close(g.ended)
	defer answer.Body.Close()
	var d wire.Decoder
	buffer := make([]byte, 4096)
	decoder, err := gzip.NewReader(answer.Body)
	for err == nil {
		g.gate <- struct{}{} // waits while the client must not read
		<-g.gate
		var n int
		n, err = decoder.Read(buffer)
		if faulty := d.Feed(buffer[:n], g.record); faulty != nil {
			err = faulty
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !errors.Is(err, io.EOF) {
		g.err = err
	}
}

// record records a frame.
func (g *gzipStream) record(m wire.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := wire.ParseMessage(m)
	if err != nil {
		g.t.Error(err)
	}
	switch f := f.(type) {
	case *wire.Hello:
		g.connection = f.Connection
	case *wire.Event:
		g.seqs = append(g.seqs, int(f.Cursor.Seq))
	case *wire.Bye:
		g.bye = f.Reason
	}
}

// received returns the sequences of the received events.
func (g *gzipStream) received() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seqs
}

// A gzipRun is one run of TestGzipStreamsDecodeAtOnce.
type gzipRun struct {
	*testBroker
	*rand.Rand
	readers  *http.Client
	service  string
	starters []int // by sequence - 1: the user who alone sees the event, or 0
	streams  []*gzipStream
}

// Over both writers, clients decode each event of a gzip stream before the next one is
// published, while others join, stop reading, and are closed or cut off. After a goodbye
// the compressed data has its end. A stream that was cut off lacks it.
func TestGzipStreamsDecodeAtOnce(t *testing.T) {
	overBothWriters(t, func(t *testing.T, change func(string, *Config)) {
		for seed := range randtest.Seeds(3) {
			s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
				unlimited(dir, c)
				if change != nil {
					change(dir, c)
				}
			})
			small := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
				faulty := c.Control(func(fd uintptr) {
					err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
				})
				return cmp.Or(faulty, err)
			}}
			transport := &http.Transport{DisableCompression: true, DialContext: small.DialContext}
			defer transport.CloseIdleConnections()
			run := &gzipRun{testBroker: s, Rand: rand.New(rand.NewPCG(uint64(seed), 0)),
				readers: &http.Client{Transport: transport}, service: s.bearer(access.Service)}
			for range 60 {
				run.step()
			}
			run.join()
			s.api.Hub.Drain()
			for _, g := range run.streams {
				run.requireEnd(g, wire.ByeDrain)
			}
		}
	})
}

// step does one of the things that may happen.
func (r *gzipRun) step() {
	r.Helper()
	if len(r.streams) < 2 || len(r.streams) < 10 && r.IntN(4) == 0 {
		r.join()
	}
	i := r.IntN(len(r.streams))
	g := r.streams[i]
	switch r.IntN(12) {
	case 0:
		r.end(i, wire.ByeStop)
	case 1:
		r.end(i, wire.ByeSlow)
	case 2, 3:
		if !g.slow {
			g.gate <- struct{}{}
			g.slow = true
		}
	case 4, 5:
		r.resume(g)
	case 6:
		r.publish(200)
	default:
		r.publish(1)
	}
}

// join opens a stream from a random place in the log.
func (r *gzipRun) join() {
	r.Helper()
	g := &gzipStream{
		t:     r.T,
		user:  1 + r.IntN(4),
		after: r.IntN(len(r.starters) + 1),
		gate:  make(chan struct{}, 1),
		seqs:  []int{},
		ended: make(chan struct{}),
	}
	grant, err := access.NewGrant(fmt.Sprint(g.user), "", []access.Role{access.Yard}, 0)
	require.NoError(r, err)
	token, err := r.tokens.Create(grant, time.Hour)
	require.NoError(r, err)
	request, err := http.NewRequest("GET", fmt.Sprintf("%s/api/sse?after=k-%d", r.url, g.after), nil)
	require.NoError(r, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := r.readers.Do(request)
	require.NoError(r, err)
	require.Equal(r, 200, answer.StatusCode)
	require.Equal(r, "gzip", answer.Header.Get("Content-Encoding"))
	go g.read(answer)
	r.streams = append(r.streams, g)
	r.awaitAll(g)
}

// publish stores events one by one, or more than ten as a batch. A fourth of them is for
// one user alone. All streams that read must have the last one before publish returns.
func (r *gzipRun) publish(n int) {
	r.Helper()
	var events []string
	for range n {
		text := make([]byte, 200)
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		starter := 0
		event := fmt.Sprintf(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"active","notes":%q}}`,
			hex.EncodeToString(text))
		if r.IntN(4) == 0 {
			starter = 1 + r.IntN(4)
			event = fmt.Sprintf(`{"type":"sync_progress","data":{"progress":1,"started_by":%d}}`, starter)
		}
		r.starters = append(r.starters, starter)
		events = append(events, event)
	}
	answer, body := r.send("POST", "/api/sse", "["+strings.Join(events, ",")+"]", r.service, isBatch)
	require.Equal(r, 201, answer.StatusCode, body)
	for _, g := range r.streams {
		if !g.slow {
			r.awaitAll(g)
		}
	}
}

// expected returns the sequences of the events that a stream must have.
func (r *gzipRun) expected(g *gzipStream) []int {
	seqs := []int{}
	for i, starter := range r.starters {
		if i >= g.after && (starter == 0 || starter == g.user) {
			seqs = append(seqs, i+1)
		}
	}
	return seqs
}

// awaitAll waits until a stream has hello and all its events.
func (r *gzipRun) awaitAll(g *gzipStream) {
	r.Helper()
	want := r.expected(g)
	waittest.Eventually(r.T, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.connection != "" && len(g.seqs) >= len(want)
	}, 20*time.Second, 200*time.Microsecond)
	require.Equal(r, want, g.received())
}

// resume lets a stream read again.
func (r *gzipRun) resume(g *gzipStream) {
	r.Helper()
	if g.slow {
		g.slow = false
		<-g.gate
		r.awaitAll(g)
	}
}

// end makes the broker end a stream while an event is on its way.
func (r *gzipRun) end(i int, reason wire.Reason) {
	r.Helper()
	g := r.streams[i]
	r.resume(g)
	r.streams = slices.Delete(r.streams, i, i+1)
	r.publish(1)
	r.api.Hub.CloseWhere(reason, func(s *hub.Subscriber) bool { return s.ID == g.connection })
	r.requireEnd(g, reason)
}

// requireEnd waits for the end of a stream that the broker has ended. Events on their way
// may be missing.
func (r *gzipRun) requireEnd(g *gzipStream, reason wire.Reason) {
	r.Helper()
	if g.slow {
		<-g.gate
	}
	<-g.ended
	require.Equal(r, r.expected(g)[:len(g.seqs)], g.seqs)
	if reason == wire.ByeSlow {
		require.ErrorIs(r, g.err, io.ErrUnexpectedEOF)
		require.Empty(r, g.bye)
		return
	}
	require.NoError(r, g.err)
	require.Equal(r, reason, g.bye)
}
