package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// A reader receives all old events, by stream and by WebSocket, even when their total size exceeds the limit of the
// data that may wait for one reader.
func TestEdgeReplaysMoreThanMayWait(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	batch := largeEvents(300)
	var last wire.Cursor
	for range 8 { // This makes about 6 MB.
		last = testkit.PublishAll(t, s, batch)
	}
	for name, readEvents := range map[string]testkit.ReadFunc{
		"sse":       testkit.ReadBySSE,
		"websocket": testkit.ReadByWebSocket,
	} {
		got := readEvents(t, s.URL, s.Token, last.Epoch+"-0", last, func() {})
		require.Len(t, got, 8*300, name)
	}
	// The answer to HEAD has no body: the edge starts no stream for it.
	for range 3 {
		r, err := http.NewRequestWithContext(testkit.Context(t), "HEAD", s.URL+"/api/sse", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.Token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, "text/event-stream; charset=utf-8", answer.Header.Get("Content-Type"))
	}
}

// The edge refuses a filter that is too large to be stored while the object sleeps. It keeps the connection that sent
// the filter, and all others.
func TestEdgeRefusesAFilterThatIsTooLargeToKeep(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	var subjects []string
	for i := range 100 {
		subjects = append(subjects, fmt.Sprintf("rental/%d%s", i, strings.Repeat("x", 180)))
	}
	tooLarge := "subjects=" + strings.Join(subjects, ",")
	other := dialSocket(t, s, s.Token)
	c := dialSocket(t, s, s.Token)
	call, err := json.Marshal(map[string]string{"call": "filter", "ref": "1", "filter": tooLarge})
	require.NoError(t, err)
	require.NoError(t, c.Write(testkit.Context(t), websocket.MessageText, call))
	_, raw, err := c.Read(testkit.Context(t))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"code":"invalid_filter"`)
	status, answer := testkit.Send(
		t,
		s.URL,
		"GET",
		"/api/ws?"+tooLarge,
		"",
		"Authorization: Bearer "+s.Token,
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Protocol: "+wire.Subprotocol,
	)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer, "invalid_filter")
	testkit.PublishNumbered(s, 0, 1)
	for _, c := range []*websocket.Conn{c, other} {
		_, raw, err := c.Read(testkit.Context(t))
		require.NoError(t, err)
		require.Contains(t, string(raw), `"n0"`)
	}
}

// When the program ends by a panic, waiting requests receive 503, so that their clients can send them again.
func TestEdgeAnswersWaitingRequestsAfterAPanic(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(programPath(t, "edge-faults.wasm")))
	testkit.PublishNumbered(s, 0, 1)
	head := testkit.ReadPage(t, s.URL, s.Token, "limit=1").Head
	var waiting sync.WaitGroup
	for range 10 {
		waiting.Go(func() {
			status, answer := testkit.Send(
				t,
				s.URL,
				"GET",
				"/api/events?wait=50&after="+head.String(),
				"",
				"Authorization: Bearer "+s.Token,
			)
			if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"code":"log_unavailable"`) {
				t.Errorf("%d: %s", status, answer)
			}
		})
	}
	admin := s.TokenFor("5", 0, access.Admin)
	waittest.Eventually(t, func() bool {
		_, stats := testkit.Send(t, s.URL, "GET", "/api/stats", "", "Authorization: Bearer "+admin)
		return strings.Contains(stats, `"poll":10`)
	}, testkit.Soon, 10*time.Millisecond)
	testkit.Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token, "Yardline-Fault: yes")
	waiting.Wait()
	testkit.PublishNumbered(s, 1, 2)
}

// After an object wakes, it still closes a WebSocket when its grant expires.
func TestGrantExpiresAfterTheObjectWakes(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Var("HEARTBEAT", "1h")) // The object sets no other alarm.
	const lifetime = 20 * time.Second
	start := time.Now()
	c := dialSocket(t, s, s.CreateTokenWithTTL(lifetime, "main", "4", 0, access.Manager))
	// A reader whose filter names subjects joins no view of the hub. The object must sleep all the same.
	filter := []byte(`{"call":"filter","ref":"1","filter":"subjects=rental/1"}`)
	require.NoError(t, c.Write(testkit.Context(t), websocket.MessageText, filter))
	idle := time.NewTimer(14 * time.Second)
	defer idle.Stop()
	<-idle.C
	require.NoError(t, c.Write(testkit.Context(t), websocket.MessageText, []byte(`{"call":"ping","ref":"2"}`)))
	require.Equal(t, wire.ByeExpired.CloseCode(), closeCode(t, c))
	require.InDelta(t, lifetime.Seconds(), time.Since(start).Seconds(), 4)
	require.Equal(t, 2, strings.Count(s.EdgeLog(), `"object ready"`), "the object was never asleep, or more than once")
}
