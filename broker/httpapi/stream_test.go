package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// rawRequest sends the bytes of text as a request over a connection of its own. It
// replaces "\n" by "\r\n".
func (s *testBroker) rawRequest(text string) (net.Conn, *bufio.Reader) {
	s.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(s, err)
	s.Cleanup(func() { c.Close() })
	require.NoError(s, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(s, err)
	return c, bufio.NewReader(c)
}

// chunk reads one chunk of a body as it is sent over HTTP/1.1.
func chunk(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
	require.NoError(t, err, "%q begins no chunk", line)
	body := make([]byte, size+2)
	_, err = io.ReadFull(r, body)
	require.NoError(t, err)
	require.Equal(t, "\r\n", string(body[size:]))
	return string(body[:size])
}

// Over HTTP/1.1 one flush is one chunk, so that a reader of chunks has each event at
// once. After the goodbye the body is complete.
func TestEachEventIsOneChunk(t *testing.T) {
	overBothWriters(t, func(t *testing.T, change func(string, *Config)) {
		s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
		for path, first := range map[string]string{
			"/api/sse":                "event: hello",
			"/embed/v1/status.events": "event: status",
		} {
			_, r := s.rawRequest("GET " + path + " HTTP/1.1\nHost: localhost\n" + s.bearer(access.Manager) + "\n\n")
			answer, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, []string{"chunked"}, answer.TransferEncoding, path)
			require.Equal(t, "no-store, no-transform", answer.Header.Get("Cache-Control"), path)
			require.Contains(t, chunk(t, r), first, path)
		}
		_, r := s.rawRequest("GET /api/sse HTTP/1.1\nHost: localhost\n" + s.bearer(access.Manager) + "\n\n")
		_, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		hello := chunk(t, r)
		for i := range 3 {
			body := fmt.Sprintf(`{"type":"rental_overdue","id":"e%d","data":{"rental_id":1,"days_overdue":1}}`, i)
			s.send("POST", "/api/sse", body, s.bearer(access.Service), isJSON)
			event := chunk(t, r)
			require.Contains(t, event, fmt.Sprintf(`"id":"e%d"`, i))
			require.True(t, strings.HasSuffix(event, "\n\n"), "%q is no whole event", event)
		}
		_, id, _ := strings.Cut(hello, `"connection":"`)
		id, _, _ = strings.Cut(id, `"`)
		s.send("POST", "/api/connections/"+id+"/close", "", s.bearer(access.Admin))
		require.Contains(t, chunk(t, r), "event: bye")
		require.Empty(t, chunk(t, r), "the last chunk")
	})
}

// After the goodbye a connection can be used for the next request, or has announced its end.
func TestConnectionAfterGoodbye(t *testing.T) {
	overBothWriters(t, func(t *testing.T, change func(string, *Config)) {
		s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
		c, r := s.rawRequest("GET /api/sse HTTP/1.1\nHost: localhost\n" + s.bearer(access.Manager) + "\n\n")
		stream, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		s.api.Hub.CloseWhere(wire.ByeRetry, func(*hub.Subscriber) bool { return true })
		_, err = io.Copy(io.Discard, stream.Body)
		require.NoError(t, err)
		if stream.Close {
			_, err = r.ReadByte()
			require.ErrorIs(t, err, io.EOF)
			return
		}
		_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		answer, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 200, answer.StatusCode)
	})
}

// A brokenLog is a log whose reads fail while broken is true.
type brokenLog struct {
	eventlog.Log
	broken *atomic.Bool
}

func (l brokenLog) Read(ctx context.Context, after uint64, n int, s eventlog.Selection) (eventlog.Page, error) {
	if l.broken.Load() {
		return eventlog.Page{}, errors.New("the log is broken")
	}
	return l.Log.Read(ctx, after, n, s)
}

// A stream that ends without a goodbye must not look complete.
func TestStreamWithoutGoodbyeLooksCut(t *testing.T) {
	overBothWriters(t, testStreamWithoutGoodbyeLooksCut)
}

func testStreamWithoutGoodbyeLooksCut(t *testing.T, change configChange) {
	log := brokenLog{memlog.New("k", time.Hour), &atomic.Bool{}}
	s := newTestBrokerWith(t, log, change, unlimited)
	for range 12 { // more events than the hub keeps in memory
		event := `{"type":"sync_progress","data":{"progress":1}}`
		batch := "[" + strings.Repeat(event+",", 999) + event + "]"
		answer, body := s.send("POST", "/api/sse", batch, s.bearer(access.Service), isBatch)
		require.Equal(t, 201, answer.StatusCode, body)
	}
	log.broken.Store(true)
	_, r := s.rawRequest("GET /api/sse?after=oldest HTTP/1.1\nHost: localhost\n" + s.bearer(access.Manager) + "\n\n")
	answer, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s", body)
	require.NotContains(t, string(body), "event: bye")
}

// HTTP/1.0 has no chunks, and an answer to HEAD has no body. Streams work with both.
func TestStreamsWorkOverHTTP10AndHEAD(t *testing.T) {
	overBothWriters(t, testStreamsWorkOverHTTP10AndHEAD)
}

func testStreamsWorkOverHTTP10AndHEAD(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	_, r := s.rawRequest("GET /api/sse HTTP/1.0\n" + "Host: localhost\n" + s.bearer(access.Manager) + "\n\n")
	answer, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Empty(t, answer.TransferEncoding)
	require.True(t, answer.Close)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "retry: 1000\n", line)

	c, r := s.rawRequest("HEAD /api/sse HTTP/1.1\nHost: localhost\n" + s.bearer(access.Manager) + "\n\n")
	head, err := http.ReadResponse(r, &http.Request{Method: "HEAD"})
	require.NoError(t, err)
	require.Equal(t, "text/event-stream; charset=utf-8", head.Header.Get("Content-Type"))
	_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	after, err := http.ReadResponse(r, nil)
	require.NoError(t, err, "nothing follows the head")
	require.Equal(t, 200, after.StatusCode)
}

// The broker reads and drops a body that has no meaning. Otherwise it would not notice
// that the client of a long poll has left.
func TestBodyOfALongPollIsDropped(t *testing.T) {
	s := newTestBroker(t)
	polls := func() int {
		s.api.gate.mu.Lock()
		defer s.api.gate.mu.Unlock()
		return s.api.gate.total
	}
	for _, body := range []string{"Content-Length: 2\n\n{}", "Transfer-Encoding: chunked\n\n2\n{}\n0\n\n"} {
		c, _ := s.rawRequest("GET /api/events?after=k-0&wait=55 HTTP/1.1\nHost: localhost\n" +
			s.bearer(access.Manager) + "\n" + body)
		waittest.Eventually(t, func() bool { return polls() == 1 }, 20*time.Second, time.Millisecond)
		require.NoError(t, c.Close())
		waittest.Eventually(t, func() bool { return polls() == 0 }, 20*time.Second, time.Millisecond)
	}
	answer, body := s.send("GET", "/api/snapshot", strings.Repeat("x", maxJSON+1), s.bearer(access.Manager))
	require.Equal(t, 413, answer.StatusCode, body)
}

// A client that has sent its request may close its side of the connection and still wait
// for the answer.
func TestHalfClosedClientsGetTheirAnswers(t *testing.T) {
	s := newTestBroker(t)
	bearer := s.bearer(access.Manager, access.Admin, access.Service)
	const event = `{"type":"sync_progress","data":{"progress":1}}`
	for line, body := range map[string]string{
		"GET /api/events?after=oldest": "",
		"GET /api/snapshot":            "",
		"GET /api/stats":               "",
		"GET /readyz":                  "",
		"PUT /api/push/preferences":    "{}",
		"POST /api/session":            `{"user":"manager"}`,
		"POST /api/sse":                event,
	} {
		for range 10 { // net/http may notice the close before the handler begins
			c, r := s.rawRequest(fmt.Sprintf("%s HTTP/1.1\nHost: localhost\n%s\n%s\nContent-Length: %d\n\n%s",
				line, bearer, isJSON, len(body), body))
			require.NoError(t, c.(*net.TCPConn).CloseWrite())
			answer, err := http.ReadResponse(r, nil)
			require.NoError(t, err, line)
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err, line)
			require.Less(t, answer.StatusCode, 300, "%s: %s", line, text)
		}
	}
}

// The libraries below would refuse these requests without a problem document. The broker
// refuses them first, with such a document.
func TestBadHandshakesAndEncodingsAreProblemDocuments(t *testing.T) {
	s := newTestBroker(t)
	const good = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
	for _, key := range []string{"", "Sec-WebSocket-Key: short\n", good + good} {
		_, r := s.rawRequest("GET /api/ws HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: websocket\n" + key +
			"Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: yardline.v1\n" + s.bearer(access.Manager) + "\n\n")
		answer, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 400, answer.StatusCode)
		require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	}
	answer, body := s.send("POST", "/api/sse", "\x1f\x8b", s.bearer(access.Service), isJSON, "Content-Encoding: gzip")
	require.Equal(t, 415, answer.StatusCode, body)
	require.Contains(t, body, "Content-Encoding")
}
