package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A client is the other end of a WebSocket.
type client struct {
	*testing.T
	*websocket.Conn
	frames []wire.Frame
}

// dial opens a WebSocket. A header is written "name: value".
func (s *testBroker) dial(path string, headers ...string) (*client, *http.Response, error) {
	s.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	protocols := []string{wire.Subprotocol}
	if h.Get("Sec-WebSocket-Protocol") != "" {
		protocols = nil
	}
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, s.url+path,
		&websocket.DialOptions{HTTPHeader: h, HTTPClient: s.client, Subprotocols: protocols})
	if err != nil {
		return nil, answer, err
	}
	conn.SetReadLimit(4 << 20)
	s.Cleanup(func() { conn.CloseNow() })
	return &client{s.T, conn, nil}, answer, nil
}

// socket opens a WebSocket, and fails the test if the broker refuses it.
func (s *testBroker) socket(path string, headers ...string) *client {
	s.Helper()
	c, _, err := s.dial(path, headers...)
	require.NoError(s, err)
	return c
}

// drop ends the WebSocket without a close frame.
func (c *client) drop() { _ = c.CloseNow() }

// sendText sends a text message.
func (c *client) sendText(text string) {
	c.Helper()
	require.NoError(c, c.Write(c.Context(), websocket.MessageText, []byte(text)))
}

// next returns the next frame, or the error with which the WebSocket was closed.
func (c *client) next() (wire.Frame, error) {
	c.Helper()
	for len(c.frames) == 0 {
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		_, raw, err := c.Read(ctx)
		cancel()
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(raw) {
			f, err := wire.ParseJSON(line)
			require.NoError(c, err, "%s", line)
			c.frames = append(c.frames, f)
		}
	}
	f := c.frames[0]
	c.frames = c.frames[1:]
	return f, nil
}

// nextFrame returns the next frame, which must be a T. It skips heartbeats.
func nextFrame[T wire.Frame](c *client) T {
	c.Helper()
	for {
		f, err := c.next()
		require.NoError(c, err)
		if want, ok := f.(T); ok {
			return want
		}
		require.IsType(c, &wire.Heartbeat{}, f, "%+v", f)
	}
}

// closed reads until the WebSocket is closed, and returns the code.
func (c *client) closed() websocket.StatusCode {
	c.Helper()
	for {
		if _, err := c.next(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// bearer returns the header with a token for the roles.
func (s *testBroker) bearer(roles ...access.Role) string {
	return "Authorization: Bearer " + s.token(time.Hour, roles...)
}

func TestWebSocketStreamsEventsAndAnswersCalls(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	for range 3 {
		s.send("POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`, service, isJSON)
	}
	c := s.socket("/api/ws?after=k-1", s.bearer(access.Manager))
	require.Equal(t, wire.Subprotocol, c.Subprotocol())
	hello := nextFrame[*wire.Hello](c)
	require.EqualValues(t, 1, hello.Start.Seq)
	// Both missed events are ready, so they come in one message.
	require.EqualValues(t, 2, nextFrame[*wire.Event](c).Cursor.Seq)
	require.NotEmpty(t, c.frames)
	require.EqualValues(t, 3, nextFrame[*wire.Event](c).Cursor.Seq)

	c.sendText(`{"call":"ping","ref":"p"}`)
	require.Equal(t, wire.NewPong("p"), nextFrame[*wire.Reply](c))

	c.sendText(`{"call":"filter","ref":"f","filter":"types=payment_received"}`)
	require.Equal(t, &wire.FilterChanged{Through: wire.Cursor{Epoch: "k", Seq: 3}, Ref: "f",
		Filter: "types=payment_received"}, nextFrame[*wire.FilterChanged](c))
	c.sendText(`{"call":"publish","ref":"a",` +
		`"event":{"type":"rental_overdue","id":"x","data":{"rental_id":2,"days_overdue":1}}}`)
	receipt := nextFrame[*wire.Reply](c)
	require.Equal(t, "a", receipt.Ref)
	require.JSONEq(t, `{"id":"x","cursor":"k-4","duplicate":false}`, string(receipt.Data))
	c.sendText(`{"call":"publish","ref":"b",` +
		`"event":{"type":"payment_received","data":{"rental_id":2,"amount":5,"payment_method":"cash"}}}`)
	var paid *wire.Event
	for range 2 { // the receipt and the event, in either order
		f, err := c.next()
		require.NoError(t, err)
		if e, ok := f.(*wire.Event); ok {
			paid = e
		}
	}
	require.NotNil(t, paid, "the new filter passes it")
	require.EqualValues(t, 5, paid.Cursor.Seq)
	require.Equal(t, "user:9", paid.Event.Actor)

	for call, code := range map[string]string{
		`{"call":"publish","event":{"type":"payroll_processed","data":{"period":"2026-11"}}}`: "forbidden",
		`{"call":"publish","event":{"type":"payment_received","data":{}}}`:                    "invalid_event",
		`{"call":"publish"}`: "invalid_event",
		`{"call":"publish","strict":true,` +
			`"event":{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}}`: "invalid_event",
		`{"call":"filter","filter":"types=x"}`: "invalid_filter",
		`{"call":"filter","filter":"type=x"}`:  "invalid_parameter",
		`{"call":"filter","filter":"%zz"}`:     "invalid_parameter",
		`{"call":"auth","token":"x"}`:          "signed_in_already",
		`{"call":"nope"}`:                      "invalid_call",
		`nonsense`:                             "invalid_call",
	} {
		c.sendText(call)
		var p Problem
		reply := nextFrame[*wire.Reply](c)
		require.NoError(t, json.Unmarshal(reply.Data, &p), "%s: %s", call, reply.Data)
		require.Equal(t, code, p.Code, call)
		require.NotEmpty(t, p.Detail)
	}
	for _, call := range []string{`{"call":"nope","ref":"r"}`, `{"call":"ping","ref":"r","more":1}`,
		`{"call":"publish","ref":"r"}`} {
		c.sendText(call)
		require.Equal(t, "r", nextFrame[*wire.Reply](c).Ref, "the refusal names the call")
	}
	b, err := s.log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, b.Last, "no refusal changes the log")
}

// A refused handshake of a WebSocket is answered with a problem document.
func TestRefusedUpgradesAreProblemDocuments(t *testing.T) {
	s := newTestBroker(t)
	manager := s.bearer(access.Manager)
	for name, c := range map[string]struct {
		path, code string
		status     int
		headers    []string
	}{
		"another origin": {"/api/ws", "cross_origin", 403, []string{manager, "Origin: https://evil.example"}},
		"null origin":    {"/api/ws", "cross_origin", 403, []string{manager, "Origin: null"}},
		"no subprotocol": {"/api/ws", "subprotocol_required", 400, []string{manager, "Sec-WebSocket-Protocol: other"}},
		"bad token":      {"/api/ws", "invalid_token", 401, []string{"Authorization: Bearer x.y.z"}},
		"bad filter":     {"/api/ws?types=x", "invalid_filter", 400, []string{manager}},
		"bad cursor":     {"/api/ws?after=x", "invalid_cursor", 400, []string{manager}},
	} {
		_, answer, err := s.dial(c.path, c.headers...)
		require.Error(t, err, name)
		require.Equal(t, c.status, answer.StatusCode, name)
		var p Problem
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&p), name)
		require.Equal(t, c.code, p.Code, name)
	}
	answer, body := s.send("GET", "/api/ws", "", manager)
	require.Equal(t, 426, answer.StatusCode)
	require.Contains(t, body, `"upgrade_required"`)
	require.Equal(t, "websocket", answer.Header.Get("Upgrade"))
	c := s.socket("/api/ws", manager, "Origin: https://rental.example")
	nextFrame[*wire.Hello](c)
}

// A page of another site cannot send headers with a WebSocket. It authenticates in the
// first message.
func TestFirstMessageAuthenticates(t *testing.T) {
	s := newTestBroker(t)
	c := s.socket("/api/ws", "Origin: https://rental.example")
	c.sendText(`{"call":"auth","token":"` + s.token(time.Hour, access.Manager) + `"}`)
	nextFrame[*wire.Hello](c)
	for _, first := range []string{`{"call":"auth","token":"x"}`, `{"call":"auth"}`, `{"call":"ping"}`} {
		c := s.socket("/api/ws")
		c.sendText(first)
		require.Contains(t, string(nextFrame[*wire.Reply](c).Data), `"status":401`)
		require.EqualValues(t, 4401, c.closed())
	}
	_, text := s.send("GET", "/api/stats", "", s.bearer(access.Admin))
	require.Contains(t, text, `"websocket":1`)
}

// A broken message closes the WebSocket with the code of RFC 6455.
func TestBrokenMessagesCloseWithTheirCode(t *testing.T) {
	s := newTestBroker(t)
	for code, send := range map[websocket.StatusCode]func(c *client) error{
		websocket.StatusInvalidFramePayloadData: func(c *client) error {
			return c.Write(t.Context(), websocket.MessageText, []byte("{\"call\":\"ping\",\"ref\":\"\xff\"}"))
		},
		websocket.StatusUnsupportedData: func(c *client) error {
			return c.Write(t.Context(), websocket.MessageBinary, []byte("{}"))
		},
		websocket.StatusMessageTooBig: func(c *client) error {
			return c.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte(" "), MaxCallBytes+2))
		},
	} {
		c := s.socket("/api/ws", s.bearer(access.Manager))
		require.NoError(t, send(c))
		require.Equal(t, code, c.closed())
	}
	// The largest event fits, with the call around it.
	c := s.socket("/api/ws?types=sync_progress", s.bearer(access.Manager))
	nextFrame[*wire.Hello](c)
	c.sendText(`{"call":"publish","ref":"1",` +
		`"event":{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":"` +
		strings.Repeat("x", event.MaxDataBytes-100) + `"}}}`)
	require.Contains(t, string(nextFrame[*wire.Reply](c).Data), `"cursor"`)
}

// A WebSocket closes with a goodbye and with the close code of its reason.
func TestWebSocketClosesWithTheReasonOfItsGoodbye(t *testing.T) {
	s := newTestBroker(t)
	s.send("POST", "/api/session", `{"user":"manager"}`)
	c := s.socket("/api/ws")
	nextFrame[*wire.Hello](c)
	s.send("DELETE", "/api/session", "")
	require.Equal(t, wire.ByeSignedOut, nextFrame[*wire.Bye](c).Reason)
	require.EqualValues(t, wire.ByeSignedOut.CloseCode(), c.closed())

	c = s.socket("/api/ws", "Authorization: Bearer "+s.token(2*time.Second, access.Manager))
	nextFrame[*wire.Hello](c)
	require.Equal(t, wire.ByeExpired, nextFrame[*wire.Bye](c).Reason)
	require.EqualValues(t, wire.ByeExpired.CloseCode(), c.closed())

	c = s.socket("/api/ws", s.bearer(access.Manager))
	hello := nextFrame[*wire.Hello](c)
	s.send("POST", "/api/connections/"+hello.Connection+"/close", "", s.bearer(access.Admin))
	require.Equal(t, wire.ByeStop, nextFrame[*wire.Bye](c).Reason)
	require.EqualValues(t, wire.ByeStop.CloseCode(), c.closed())
}
