package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
)

// StoredIDs returns the ids of all events in the broker's log, at most 1,000.
func StoredIDs(t *testing.T, s *stack.Stack) (ids []string) {
	t.Helper()
	r, err := s.APIFor("boss", 0, access.Manager).Transport.Do(t.Context(),
		wasmclient.Request{Method: "GET", Path: "/api/events?after=oldest&limit=1000"})
	require.NoError(t, err)
	var page struct{ Events []struct{ ID string } }
	require.NoError(t, json.Unmarshal(r.Body, &page))
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// A ReadFunc reads events by one of the broker's interfaces. It returns, as text, the events after the cursor start up
// to and including the cursor end. It may also return events that follow end directly. It calls opened as soon as the
// test may publish the events.
type ReadFunc func(t *testing.T, base, token, start string, end wire.Cursor, opened func()) []string

// Get sends a GET request with a bearer token. The test fails if the status of the answer is not 200. The answer ends
// after two minutes. The caller must close the body.
func Get(t *testing.T, client *http.Client, address, token string) *http.Response {
	t.Helper()
	return GetUntil(t, Context(t), client, address, token)
}

// GetUntil is like Get, but the answer ends with ctx.
func GetUntil(t *testing.T, ctx context.Context, client *http.Client, address, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	return answer
}

// EventText returns an event as text that is the same by every interface.
func EventText(e event.Event) string { return string(e.AppendJSON(nil)) }

// ReadBySSE is a ReadFunc that reads Server-Sent Events.
func ReadBySSE(t *testing.T, base, token, start string, end wire.Cursor, opened func()) (got []string) {
	answer := Get(t, http.DefaultClient, base+"/api/sse?after="+start, token)
	defer answer.Body.Close()
	opened()
	ReadFrames(t, answer.Body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			got = append(got, EventText(e.Event))
		}
		return f.ReachedCursor().Seq >= end.Seq
	})
	return got
}

// ReadFrames calls isLast for each frame of an event stream, until isLast returns true.
func ReadFrames(t *testing.T, body io.Reader, isLast func(wire.Frame) bool) {
	t.Helper()
	done := false
	ReadMessages(t, body, func(wire.Message) bool { return done }, func(m wire.Message) {
		f, err := wire.ParseMessage(m)
		require.NoError(t, err)
		done = isLast(f)
	})
}

// OpenSocket opens a WebSocket with a bearer token. The caller must call CloseNow.
func OpenSocket(t *testing.T, address, token string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(Context(t), "ws"+strings.TrimPrefix(address, "http"),
		&websocket.DialOptions{
			Subprotocols: []string{wire.Subprotocol},
			HTTPHeader:   http.Header{"Authorization": {"Bearer " + token}},
		})
	require.NoError(t, err)
	return c
}

// ReadByWebSocket is a ReadFunc that reads a WebSocket.
func ReadByWebSocket(t *testing.T, base, token, start string, end wire.Cursor, opened func()) (got []string) {
	c := OpenSocket(t, base+"/api/ws?after="+start, token)
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	opened()
	for {
		_, raw, err := c.Read(Context(t))
		require.NoError(t, err)
		for line := range bytes.Lines(raw) {
			f, err := wire.ParseJSON(line)
			require.NoError(t, err)
			if e, ok := f.(*wire.Event); ok {
				got = append(got, EventText(e.Event))
			}
			if f.ReachedCursor().Seq >= end.Seq {
				return got
			}
		}
	}
}

// A Page is an answer of GET /api/events.
type Page struct {
	Events []event.Event
	// Previous and Next are the cursors that select the adjacent pages.
	Previous, Next wire.Cursor
	// Head is the cursor of the newest event in the log.
	Head wire.Cursor
	// Gap reports events that the page lacks. nil means that it lacks none.
	Gap *wire.Gap
}

// ReadPage reads a page of /api/events. The test fails if the page has a gap.
func ReadPage(t *testing.T, base, token, query string) (p Page) {
	answer := Get(t, http.DefaultClient, base+"/api/events?"+query, token)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&p))
	require.Nil(t, p.Gap)
	return p
}

// PublishAll publishes events in batches of 100 and returns the cursor of the last one.
func PublishAll(t *testing.T, s *stack.Stack, events []json.RawMessage) (last wire.Cursor) {
	for batch := range slices.Chunk(events, 100) {
		body, err := json.Marshal(batch)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(Context(t), "POST", s.URL+"/api/sse", bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.Token)
		r.Header.Set("Content-Type", "application/cloudevents-batch+json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		var stored struct {
			Events []struct{ Cursor wire.Cursor }
		}
		raw, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 201, answer.StatusCode, "%s", raw)
		require.NoError(t, json.Unmarshal(raw, &stored))
		last = stored.Events[len(stored.Events)-1].Cursor
	}
	return last
}

// OpenUnreadStream opens a stream of all events, and returns its connection without reading from it.
func OpenUnreadStream(t *testing.T, s *stack.Stack) net.Conn {
	t.Helper()
	return GetRaw(t, s, "/api/sse?after=oldest")
}

// GetRaw sends a GET request over a new connection and returns the connection without reading the answer.
func GetRaw(t *testing.T, s *stack.Stack, path string) net.Conn {
	t.Helper()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	c, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, u.Host, s.Token)
	require.NoError(t, err)
	return c
}

// ReadMessages calls handle, and then isLast, for each message of an event stream, until isLast returns true.
func ReadMessages(t *testing.T, body io.Reader, isLast func(wire.Message) bool, handle func(wire.Message)) {
	t.Helper()
	var d wire.Decoder
	buffer := make([]byte, 32<<10)
	for done := false; !done; {
		n, err := body.Read(buffer)
		require.NoError(t, d.Feed(buffer[:n], func(m wire.Message) {
			if !done {
				handle(m)
				done = isLast(m)
			}
		}))
		if !done {
			require.NoError(t, err)
		}
	}
}
