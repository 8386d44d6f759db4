//lint:file-ignore SA1019 the module is given

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
)

// program is a wasm that make has built for these tests.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../bin/" + name)
	require.NoError(t, err)
	require.FileExists(t, path, "run make edge-programs first")
	return path
}

// TestEdgeLog runs the conformance suite of the log in a Durable Object.
func TestEdgeLog(t *testing.T) {
	s := stack.StartEdge(t, stack.Program(program(t, "edge-log.test.wasm"), true))
	answer, err := http.Get(s.URL)
	require.NoError(t, err)
	answer.Body.Close()
	require.Eventually(t, func() bool { return strings.Contains(s.EdgeLog(), "\nPASS\n") || strings.Contains(s.EdgeLog(), "FAIL") }, soon, 20*time.Millisecond)
	log := s.EdgeLog()
	require.NotContains(t, log, "FAIL")
	for _, part := range []string{"everything_survives", "purge", "read_selects", "store", "appends_from_many_sides"} {
		require.Contains(t, log, "--- PASS: TestLog/"+part)
	}
}

// events are the ids of the events that a stream brings until there are n.
func events(t *testing.T, body io.Reader, n int) (ids []string) {
	readFrames(t, body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			ids = append(ids, e.Event.ID)
		}
		return len(ids) >= n
	})
	return ids
}

// numbered are the ids that publishNumbered gives.
func numbered(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprint("n", i))
	}
	return ids
}

func publishNumbered(s *stack.Stack, from, to int) {
	for i := from; i < to; i++ {
		s.Publish(fmt.Sprintf(`{"type":"rental_overdue","id":"n%d","data":{"rental_id":%d,"days_overdue":1}}`, i, i+1))
	}
}

// TestEdgeLosesNothing: 200 streams of four roles have each of 20 events, in
// order, and leave nothing open.
func TestEdgeLosesNothing(t *testing.T) {
	const streams, each = 200, 20
	s := stack.StartEdge(t)
	var all sync.WaitGroup
	opened := make(chan struct{}, streams)
	for i := range streams {
		role := []access.Role{access.Dispatcher, access.Yard, access.Manager, access.Admin}[i%4]
		token := s.TokenFor(fmt.Sprint(100+i), 0, role)
		all.Go(func() {
			answer := request(t, http.DefaultClient, s.URL+"/api/sse", token)
			defer answer.Body.Close()
			opened <- struct{}{}
			if got := events(t, answer.Body, each); !slices.Equal(numbered(0, each), got) {
				t.Errorf("a stream has %v", got)
			}
		})
	}
	for range streams {
		<-opened
	}
	publishNumbered(s, 0, each)
	all.Wait()
	// Who has left is noticed when there is something to write.
	admin := s.TokenFor("5", 0, access.Admin)
	more := each
	require.Eventually(t, func() bool {
		publishNumbered(s, more, more+1)
		more++
		answer := request(t, http.DefaultClient, s.URL+"/api/stats", admin)
		defer answer.Body.Close()
		var stats struct{ Connections int }
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&stats))
		return stats.Connections == 0
	}, soon, 100*time.Millisecond)
}

// TestEdgeKilled: what was acknowledged is there after workerd was killed and
// started again on the same storage, and sending it again changes nothing.
func TestEdgeKilled(t *testing.T) {
	s := stack.StartEdge(t)
	publishNumbered(s, 0, 20)
	head := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`).Cursor
	before := readPage(t, s.URL, s.Token, "after=oldest")
	s.Kill()
	s.Up()
	require.Equal(t, before, readPage(t, s.URL, s.Token, "after=oldest"))
	again := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`)
	require.True(t, again.Duplicate)
	require.Equal(t, head, again.Cursor)
	publishNumbered(s, 21, 25)
	answer := request(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	require.Equal(t, numbered(0, 25), events(t, answer.Body, 25))
}

// TestEdgeTenants: each company has a log of its own, and a token of one is
// worth nothing at another.
func TestEdgeTenants(t *testing.T) {
	s := stack.StartEdge(t)
	// What everybody may have is there without anybody having asked for more.
	status, answer := send(t, s.URL, "GET", "/embed/v1/status.json", "", "Yardline-Tenant: acme")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, `"state":"live"`)
	acme, other := s.With(s.MintFor("acme", "erp", 0, access.Service, access.Manager)), s.With(s.MintFor("other", "erp", 0, access.Service, access.Manager))
	body := json.RawMessage(`{"type":"rental_overdue","id":"mine","data":{"rental_id":1,"days_overdue":1}}`)
	for _, api := range []wasmclient.API{acme, other} { // the same id, and no duplicate
		receipt, err := api.PublishJSON(t.Context(), body)
		require.NoError(t, err)
		require.False(t, receipt.Duplicate)
		require.EqualValues(t, 1, receipt.Cursor.Seq)
	}
	mine := readPage(t, s.URL, s.MintFor("acme", "4", 0, access.Manager), "after=oldest")
	theirs := readPage(t, s.URL, s.MintFor("other", "4", 0, access.Manager), "after=oldest")
	require.Len(t, mine.Events, 1)
	require.NotEqual(t, mine.Head.Epoch, theirs.Head.Epoch)
	for _, token := range []string{s.MintFor("", "4", 0, access.Manager), "no.token.here"} {
		status, answer := send(t, s.URL, "GET", "/api/events", "", "Authorization: Bearer "+token, "Yardline-Principal: {}")
		require.Equal(t, http.StatusUnauthorized, status)
		require.Contains(t, answer, "invalid_token")
	}
	// What only the front may say is no way in.
	forged := identity.Vouch(identity.Principal{Grant: access.Grant{User: "1", Roles: []access.Role{access.Manager}, Tenant: "acme"}, Expires: time.Now().Add(time.Hour)})
	status, answer = send(t, s.URL, "GET", "/api/events", "", identity.VouchHeader+": "+forged)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, answer, "sign_in_required")
}

// send sends a request, and returns the answer.
func send(t *testing.T, base, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx(t), method, base+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	got, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	return got.StatusCode, string(raw)
}

// TestEdgeRefuses: broker, edge and gate refuse the same requests by the same
// documents, byte for byte.
func TestEdgeRefuses(t *testing.T) {
	broker, edge := stack.Start(t), stack.StartEdge(t)
	gate := stack.StartGate(t, broker)
	const asJSON = "Content-Type: application/json"
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		roles              []access.Role // nil: nobody
		status             int
	}{
		"nobody reads":       {"GET", "/api/sse", "", nil, nil, 401},
		"nobody publishes":   {"POST", "/api/sse", "{", []string{asJSON}, nil, 401},
		"a broken token":     {"GET", "/api/snapshot", "", []string{"Authorization: Bearer x.y.z"}, nil, 401},
		"another scheme":     {"GET", "/api/snapshot", "", []string{"Authorization: Basic x"}, nil, 401},
		"not for this role":  {"POST", "/api/sse", `{"type":"payroll_processed","data":{"period":"2026-11"}}`, []string{asJSON}, []access.Role{access.Yard}, 403},
		"another site":       {"POST", "/api/sse", "{}", []string{asJSON, "Origin: https://evil.example"}, []access.Role{access.Manager}, 403},
		"for admins":         {"GET", "/api/stats", "", nil, []access.Role{access.Manager}, 403},
		"no event":           {"POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":0}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"no type":            {"POST", "/api/sse", `{"type":"nothing","data":{}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"no JSON":            {"POST", "/api/sse", `{"type":`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"unknown and strict": {"POST", "/api/sse?strict=true", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"a batch":            {"POST", "/api/sse", `[{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}},{"type":"rental_overdue","data":{}}]`, []string{"Content-Type: application/cloudevents-batch+json"}, []access.Role{access.Manager}, 422},
		"a binary one":       {"POST", "/api/sse", `{"rental_id":1}`, []string{asJSON, "ce-specversion: 1.0", "ce-type: rental_overdue", "ce-id: a, b", "ce-source: /x"}, []access.Role{access.Manager}, 422},
		"no media type":      {"POST", "/api/sse", `x`, []string{"Content-Type: text/plain"}, []access.Role{access.Manager}, 415},
		"too large":          {"POST", "/api/sse", strings.Repeat(" ", 30<<10), []string{asJSON}, []access.Role{access.Manager}, 413},
		"no such filter":     {"GET", "/api/events?types=nothing", "", nil, []access.Role{access.Manager}, 400},
		"no such parameter":  {"GET", "/api/sse?type=x", "", nil, []access.Role{access.Manager}, 400},
		"no such cursor":     {"GET", "/api/sse", "", []string{"Last-Event-ID: x"}, []access.Role{access.Manager}, 400},
		"no WebSocket":       {"GET", "/api/ws", "", nil, []access.Role{access.Manager}, 426},
		"nothing there":      {"GET", "/api/nothing", "", nil, []access.Role{access.Manager}, 404},
		"another method":     {"DELETE", "/api/sse", "", nil, []access.Role{access.Manager}, 405},
		"another grant":      {"POST", "/api/sse", `{}`, []string{asJSON, "If-Grant: x"}, []access.Role{access.Manager}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(s *stack.Stack) string {
				headers := c.headers
				if c.roles != nil {
					headers = append(slices.Clone(headers), "Authorization: Bearer "+s.TokenFor("9", 0, c.roles...))
				}
				status, answer := send(t, s.URL, c.method, c.path, c.body, headers...)
				require.Equal(t, c.status, status, answer)
				return answer
			}
			want := ask(broker)
			require.Equal(t, want, ask(edge), "edge")
			require.Equal(t, want, ask(gate), "gate")
		})
	}
}

// TestEdgePanics: when the program ends by a fault its readers are told to come
// back, the next event is taken, and nothing that was acknowledged is lost.
func TestEdgePanics(t *testing.T) {
	s := stack.StartEdge(t, stack.Program(program(t, "edge-faults.wasm"), false))
	publishNumbered(s, 0, 5)
	answer := request(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	socket := dialSocket(t, s, s.Token)
	for round := range 3 {
		at := 5 + 5*round
		publishNumbered(s, at, at+5)
		var faults sync.WaitGroup
		faults.Go(func() {
			send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token, "Yardline-Fault: yes")
		})
		faults.Wait()
		publishNumbered(s, at+5, at+6) // the very next
		publishNumbered(s, at+5, at+6)
	}
	var ids []string
	var bye *wire.Bye
	readFrames(t, answer.Body, func(f wire.Frame) bool {
		switch f := f.(type) {
		case *wire.Event:
			ids = append(ids, f.Event.ID)
		case *wire.Bye:
			bye = f
		}
		return bye != nil
	})
	require.Equal(t, wire.ByeRetry, bye.Reason)
	require.Equal(t, numbered(0, 10), ids)
	require.Equal(t, wire.ByeRetry.CloseCode(), closeCode(t, socket))
	var all []string
	for _, e := range readPage(t, s.URL, s.Token, "after=oldest&limit=1000").Events {
		all = append(all, e.ID)
	}
	require.Equal(t, numbered(0, 21), all)
}

// dialSocket opens a WebSocket, which has had its hello.
func dialSocket(t *testing.T, s *stack.Stack, token string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(ctx(t), "ws"+strings.TrimPrefix(s.URL, "http")+"/api/ws",
		&websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	_, raw, err := c.Read(ctx(t))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"event":"hello"`)
	return c
}

// closeCode reads until the other side closes.
func closeCode(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.Read(ctx(t)); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// TestEdgeSocketSleeps: a WebSocket that was idle for so long that its object
// was put to sleep still answers, has what is published, and publishes, each
// once.
func TestEdgeSocketSleeps(t *testing.T) {
	s := stack.StartEdge(t)
	c := dialSocket(t, s, s.Token)
	say := func(text string) { require.NoError(t, c.Write(ctx(t), websocket.MessageText, []byte(text))) }
	hears := func(part string) {
		t.Helper()
		for {
			_, raw, err := c.Read(ctx(t))
			require.NoError(t, err)
			if strings.Contains(string(raw), `"event"`) { // no heartbeat
				require.Contains(t, string(raw), part)
				return
			}
		}
	}
	say(`{"call":"filter","ref":"1","filter":"types=rental_overdue"}`)
	hears(`"event":"filter"`)
	programs := func() int { return strings.Count(s.EdgeLog(), `"object ready"`) }
	require.Eventually(t, func() bool { return programs() == 1 }, soon, 20*time.Millisecond)
	idle := time.NewTimer(15 * time.Second) // workerd puts an object to sleep after ten
	defer idle.Stop()
	<-idle.C
	say(`{"call":"ping","ref":"2"}`)
	hears(`"event":"pong"`)
	require.Equal(t, 2, programs(), "it was never asleep")
	s.Publish(`{"type":"system_notification","data":{"message":"not asked for"}}`)
	publishNumbered(s, 0, 1)
	hears(`"id":"n0"`)
	say(`{"call":"publish","ref":"3","event":{"type":"rental_overdue","id":"n1","data":{"rental_id":2,"days_overdue":1}}}`)
	hears(`"n1"`) // the event, then the answer
	hears(`"event":"published"`)
}
