package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// A witness stands between a gate and its broker, and sees what comes.
type witness struct {
	url     string
	asked   atomic.Int64
	open    atomic.Int64 // answers under way
	unknown atomic.Int64 // requests without a token, but for the public status
}

func witnessed(t *testing.T, s *stack.Stack) *witness {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	w := &witness{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		w.open.Add(1)
		defer w.open.Add(-1)
		if r.Header.Get("Authorization") == "" && !strings.HasPrefix(r.URL.Path, "/embed/") {
			w.unknown.Add(1)
		}
		pass.ServeHTTP(out, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	w.url = server.URL
	return w
}

// A request without a valid token never reaches the broker, nor does one that the broker would refuse. Streams and
// WebSockets pass, and the broker notices when their clients leave.
func TestGateLetsOnlyGoodRequestsThrough(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	w := witnessed(t, broker)
	gate := stack.StartGate(t, broker, stack.Var("ORIGIN", w.url))
	manager := "Authorization: Bearer " + gate.TokenFor("4", 0, access.Manager)
	for _, c := range [][]string{
		{"GET", "/api/sse", ""}, {"GET", "/api/events", ""}, {"POST", "/api/sse", "{}"}, {"GET", "/api/session", ""}, {"DELETE", "/api/session", ""},
		{"POST", "/api/session", `{"user":"manager"}`}, {"GET", "/api/nothing", ""}, {"GET", "/", ""}, {"GET", "/healthz", ""},
		{"GET", "/api/snapshot", "", "Authorization: Bearer " + gate.CreateTokenIn("acme", "4", 0, access.Manager)},
		{"POST", "/api/sse", `{"type":"rental_overdue","data":{}}`, manager, "Content-Type: application/json"},
		{"POST", "/api/sse", `{"type":"payroll_processed","data":{"period":"2026-11"}}`, manager, "Content-Type: application/json"},
		{"GET", "/api/stats", "", manager}, {"GET", "/embed/v1/status.events", ""},
	} {
		testkit.Send(t, gate.URL, c[0], c[1], c[2], c[3:]...)
	}
	require.Zero(t, w.asked.Load(), "the broker was asked")

	waittest.Eventually(t, func() bool { // it looks at itself once a second
		_, answer := testkit.Send(t, broker.URL, "GET", "/embed/v1/status.json", "")
		return strings.Contains(answer, `"live"`)
	}, testkit.Soon, 20*time.Millisecond)
	for range 5 {
		status, answer := testkit.Send(t, gate.URL, "GET", "/embed/v1/status.json", "")
		require.Equal(t, 200, status)
		require.Contains(t, answer, `"state":"live"`)
	}
	require.EqualValues(t, 1, w.asked.Load(), "the public status is kept for a while")

	testkit.PublishNumbered(gate, 0, 3)
	require.Equal(t, testkit.NumberedIDs(0, 3), idsOf(testkit.ReadPage(t, broker.URL, broker.Token, "after=oldest")))
	answer := testkit.Get(t, http.DefaultClient, gate.URL+"/api/sse?after=oldest", gate.Token)
	socket := dialSocket(t, gate, gate.Token)
	require.Equal(t, testkit.NumberedIDs(0, 3), events(t, answer.Body, 3))
	require.EqualValues(t, 2, w.open.Load())
	answer.Body.Close()
	require.NoError(t, socket.CloseNow())
	n := 3
	waittest.Eventually(t, func() bool { // noticed when there is something to write, and at the next heartbeat
		testkit.PublishNumbered(broker, n, n+1)
		n++
		return w.open.Load() == 0
	}, testkit.Soon, 50*time.Millisecond, "the broker still streams to who has left")
	require.Zero(t, w.unknown.Load())
}

func idsOf(p testkit.Page) (ids []string) {
	for _, e := range p.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// While the broker is away, the gate says so. A client has all events when the broker is back.
func TestGateReportsThatTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	gate := stack.StartGate(t, broker)
	var mu sync.Mutex // guards got
	var got []string
	client := wasmclient.New(
		wasmclient.Options{
			Transport: gate.APIFor("4", 0, access.Manager).Transport,
			Ladder:    []conn.Transport{conn.SSE},
			Oldest:    true,
			OnEvent:   func(r store.Received) { mu.Lock(); got = append(got, r.ID); mu.Unlock() },
		},
	)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { client.Run(ctx) })
	defer running.Wait()
	defer cancel()
	has := func(want []string) {
		t.Helper()
		waittest.Eventually(
			t,
			func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == len(want) },
			2*testkit.Soon,
			5*time.Millisecond,
		)
		require.Equal(t, want, got)
	}
	testkit.PublishNumbered(gate, 0, 5)
	has(testkit.NumberedIDs(0, 5))
	broker.Kill()
	status, answer := testkit.Send(t, gate.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+gate.Token)
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, answer, `"code":"origin_unreachable"`)
	waittest.Eventually(
		t,
		func() bool { return client.View().Status.Code == "origin_unreachable" },
		testkit.Soon,
		5*time.Millisecond,
	)
	broker.Up()
	testkit.PublishNumbered(broker, 5, 10)
	has(testkit.NumberedIDs(0, 10))
}

// A client never receives a redirect from the broker's address, because it would take it for the gate's own. Other
// answers from there pass, and are not taken for refusals of the broker.
func TestGatePassesNoRedirectOn(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	var answer atomic.Int64
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://login.example/")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "login=1")
		w.WriteHeader(int(answer.Load()))
	}))
	t.Cleanup(odd.Close)
	gate := stack.StartGate(t, broker, stack.Var("ORIGIN", odd.URL))
	for _, status := range []int64{301, 302, 303, 307, 308} {
		answer.Store(status)
		for _, path := range []string{"/api/snapshot", "/api/sse", "/readyz"} {
			got, body := testkit.Send(t, gate.URL, "GET", path, "", "Authorization: Bearer "+gate.Token)
			require.Equal(t, http.StatusBadGateway, got, path)
			require.Contains(t, body, `"code":"origin_unreachable"`)
			require.NotContains(t, body, "login.example")
		}
	}
	for _, status := range []int64{401, 403} {
		answer.Store(status)
		r, err := http.NewRequestWithContext(t.Context(), "GET", gate.URL+"/api/snapshot", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+gate.Token)
		got, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		got.Body.Close()
		require.EqualValues(t, status, got.StatusCode)
		require.Equal(t, "text/html", got.Header.Get("Content-Type"))
	}
}
