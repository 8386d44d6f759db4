package testkit

import (
	"bytes"
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

// stored are the ids of all events that the broker has.
func StoredIDs(t *testing.T, s *stack.Stack) (ids []string) {
	t.Helper()
	r, err := s.As("boss", 0, access.Manager).Transport.Do(t.Context(), wasmclient.Request{Method: "GET", Path: "/api/events?after=oldest&limit=1000"})
	require.NoError(t, err)
	var page struct{ Events []struct{ ID string } }
	require.NoError(t, json.Unmarshal(r.Body, &page))
	for _, e := range page.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// A path is one way out of the broker: it returns the events from after a
// cursor up to another one, as text. Opened is called once it is on its way.
type ReadFunc func(t *testing.T, base, token, after string, through wire.Cursor, opened func()) []string

// request sends a GET with a bearer token.
func Get(t *testing.T, client *http.Client, address, token string) *http.Response {
	r, err := http.NewRequestWithContext(Context(t), "GET", address, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	return answer
}

// text is an event as its reader has it, whatever the path.
func EventText(e event.Event) string { return string(e.AppendJSON(nil)) }

func ReadBySSE(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	answer := Get(t, http.DefaultClient, base+"/api/sse?after="+after, token)
	defer answer.Body.Close()
	opened()
	ReadFrames(t, answer.Body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			got = append(got, EventText(e.Event))
		}
		return f.ReachedCursor().Seq >= through.Seq
	})
	return got
}

// readFrames reads an event stream until enough says so.
func ReadFrames(t *testing.T, body io.Reader, enough func(wire.Frame) bool) {
	t.Helper()
	done := false
	ReadMessages(t, body, func(wire.Message) bool { return done }, func(m wire.Message) {
		f, err := wire.ParseMessage(m)
		require.NoError(t, err)
		done = enough(f)
	})
}

// openSocket opens a WebSocket with a bearer token. CloseNow must be called.
func OpenSocket(t *testing.T, address, token string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(Context(t), "ws"+strings.TrimPrefix(address, "http"),
		&websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	require.NoError(t, err)
	return c
}

func ReadByWebSocket(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	c := OpenSocket(t, base+"/api/ws?after="+after, token)
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
			if f.ReachedCursor().Seq >= through.Seq {
				return got
			}
		}
	}
}

// page is an answer of /api/events.
type Page struct {
	Events         []event.Event
	Previous, Next wire.Cursor
	Head           wire.Cursor
	Gap            *wire.Gap
}

func ReadPage(t *testing.T, base, token, query string) (p Page) {
	answer := Get(t, http.DefaultClient, base+"/api/events?"+query, token)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&p))
	require.Nil(t, p.Gap)
	return p
}

// publishAll sends batches and returns the last cursor.
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

// deaf opens a stream of everything and never reads it.
func DialDeaf(t *testing.T, s *stack.Stack) net.Conn {
	t.Helper()
	return GetRaw(t, s, "/api/sse?after=oldest")
}

// getRaw sends a request over a connection of its own, and reads no answer.
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

// readMessages hands the blocks of an event stream to take, until the last one
// that is asked for.
func ReadMessages(t *testing.T, body io.Reader, last func(wire.Message) bool, take func(wire.Message)) {
	t.Helper()
	var d wire.Decoder
	buffer := make([]byte, 32<<10)
	for done := false; !done; {
		n, err := body.Read(buffer)
		require.NoError(t, d.Feed(buffer[:n], func(m wire.Message) {
			if !done {
				take(m)
				done = last(m)
			}
		}))
		if !done {
			require.NoError(t, err)
		}
	}
}
