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

// A countingProxy stands between a gate and its broker, and counts the requests.
type countingProxy struct {
	url       string
	requests  atomic.Int64
	open      atomic.Int64 // how many requests are being answered
	anonymous atomic.Int64 // how many requests had no token, except those for the public status
}

// startCountingProxy starts a countingProxy in front of a broker. It runs until the test ends.
func startCountingProxy(t *testing.T, s *stack.Stack) *countingProxy {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	p := &countingProxy{}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		p.open.Add(1)
		defer p.open.Add(-1)
		if r.Header.Get("Authorization") == "" && !strings.HasPrefix(r.URL.Path, "/embed/") {
			p.anonymous.Add(1)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.url = server.URL
	return p
}

// A gateRequest is a request that the gate answers without the broker.
type gateRequest struct {
	method, path, body string
	headers            []string
}

// requestsForTheGate returns requests that the gate must answer itself.
func requestsForTheGate(gate *stack.Stack) []gateRequest {
	manager := "Authorization: Bearer " + gate.TokenFor("4", 0, access.Manager)
	return []gateRequest{
		{"GET", "/api/sse", "", nil},
		{"GET", "/api/events", "", nil},
		{"POST", "/api/sse", "{}", nil},
		{"GET", "/api/session", "", nil},
		{"DELETE", "/api/session", "", nil},
		{"POST", "/api/session", `{"user":"manager"}`, nil},
		{"GET", "/api/nothing", "", nil},
		{"GET", "/", "", nil},
		{"GET", "/healthz", "", nil},
		{
			"GET", "/api/snapshot", "",
			[]string{"Authorization: Bearer " + gate.CreateTokenIn("acme", "4", 0, access.Manager)},
		},
		{"POST", "/api/sse", `{"type":"rental_overdue","data":{}}`, []string{manager, asJSON}},
		{
			"POST", "/api/sse", `{"type":"payroll_processed","data":{"period":"2026-11"}}`,
			[]string{manager, asJSON},
		},
		{"GET", "/api/stats", "", []string{manager}},
		{"GET", "/embed/v1/status.events", "", nil},
	}
}

// The gate passes no request on that has no valid token or that the broker would refuse. It passes streams and
// WebSockets on, and the broker notices when their clients leave.
func TestGatePassesOnlyValidRequestsOn(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	proxy := startCountingProxy(t, broker)
	gate := stack.StartGate(t, broker, stack.Var("ORIGIN", proxy.url))
	for _, c := range requestsForTheGate(gate) {
		testkit.Send(t, gate.URL, c.method, c.path, c.body, c.headers...)
	}
	require.Zero(t, proxy.requests.Load(), "the gate has asked the broker")

	waittest.Eventually(t, func() bool { // The broker updates its public status once a second.
		_, answer := testkit.Send(t, broker.URL, "GET", "/embed/v1/status.json", "")
		return strings.Contains(answer, `"live"`)
	}, testkit.Soon, 20*time.Millisecond)
	for range 5 {
		status, answer := testkit.Send(t, gate.URL, "GET", "/embed/v1/status.json", "")
		require.Equal(t, 200, status)
		require.Contains(t, answer, `"state":"live"`)
	}
	require.EqualValues(t, 1, proxy.requests.Load(), "the gate keeps the public status for a while")

	testkit.PublishNumbered(gate, 0, 3)
	require.Equal(t, testkit.NumberedIDs(0, 3), pageIDs(testkit.ReadPage(t, broker.URL, broker.Token, "after=oldest")))
	answer := testkit.Get(t, http.DefaultClient, gate.URL+"/api/sse?after=oldest", gate.Token)
	socket := dialSocket(t, gate, gate.Token)
	require.Equal(t, testkit.NumberedIDs(0, 3), readEventIDs(t, answer.Body, 3))
	require.EqualValues(t, 2, proxy.open.Load())
	answer.Body.Close()
	require.NoError(t, socket.CloseNow())
	n := 3
	// The broker notices that a client has left when it writes an event or a heartbeat.
	waittest.Eventually(t, func() bool {
		testkit.PublishNumbered(broker, n, n+1)
		n++
		return proxy.open.Load() == 0
	}, testkit.Soon, 50*time.Millisecond, "the broker still streams to a client that has left")
	require.Zero(t, proxy.anonymous.Load())
}

// pageIDs returns the ids of the events of a page.
func pageIDs(p testkit.Page) (ids []string) {
	for _, e := range p.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// While the broker is down, the gate answers with the code origin_unreachable. When the broker is up again, a client
// receives all events.
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
	requireEvents := func(want []string) {
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
	requireEvents(testkit.NumberedIDs(0, 5))
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
	requireEvents(testkit.NumberedIDs(0, 10))
}

// The gate passes no redirect on from the broker's address, because the client would believe that the gate itself
// redirects. It passes other answers on with their status and media type.
func TestGatePassesNoRedirectOn(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	var answerStatus atomic.Int64
	otherServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://login.example/")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "login=1")
		w.WriteHeader(int(answerStatus.Load()))
	}))
	t.Cleanup(otherServer.Close)
	gate := stack.StartGate(t, broker, stack.Var("ORIGIN", otherServer.URL))
	for _, status := range []int64{301, 302, 303, 307, 308} {
		answerStatus.Store(status)
		for _, path := range []string{"/api/snapshot", "/api/sse", "/readyz"} {
			got, body := testkit.Send(t, gate.URL, "GET", path, "", "Authorization: Bearer "+gate.Token)
			require.Equal(t, http.StatusBadGateway, got, path)
			require.Contains(t, body, `"code":"origin_unreachable"`)
			require.NotContains(t, body, "login.example")
		}
	}
	for _, status := range []int64{401, 403} {
		answerStatus.Store(status)
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
