package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/fanout"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry"
	"github.com/snd-rental/yardline/shared/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A testBroker is an API over a log in memory, with an HTTP server and a client.
type testBroker struct {
	*testing.T
	url    string
	api    *API
	log    eventlog.Log
	dir    string // of the token key and the users
	tokens *identity.Tokens
	client *http.Client
}

// newTestBroker serves an API over an empty log in memory.
func newTestBroker(t *testing.T) *testBroker {
	return newTestBrokerWith(t, memlog.New("k", time.Hour))
}

// runAPI runs an API over a log until the test ends. change, if not nil, edits the
// configuration. dir is the data directory, with the key of the tokens.
func runAPI(
	t testing.TB, log eventlog.Log, change func(dir string, c *Config),
) (api *API, dir string, tokens *identity.Tokens) {
	metrics := telemetry.New()
	h := hub.New(hub.Config{Log: log, Observer: metrics})
	writer, err := fanout.New(fanout.Config{Hub: h})
	require.NoError(t, err)
	metrics.Watch(h, log)
	dir = t.TempDir()
	tokens, err = identity.OpenTokens(dir)
	require.NoError(t, err)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") })
	quiet := slog.New(slog.DiscardHandler)
	c := Config{
		Hub:          h,
		Log:          log,
		Fanout:       writer,
		GzipStreams:  true,
		UI:           page,
		LoopbackOnly: true,
		Origins:      []string{"https://rental.example"},
		Logger:       quiet,
		Reporter:     metrics,
		Metrics:      metrics.Handler(quiet),
		IsDraining:   func() bool { return false },
		Authority: &identity.Authority{
			Tokens:    tokens,
			Sessions:  identity.NewStoredSessions(log, "testtest", NeedsSecureCookie),
			Directory: identity.DemoDirectory{},
		},
	}
	if change != nil {
		change(dir, &c)
	}
	pushes, err := push.New(t.Context(), push.Config{
		Log:           log,
		Contact:       "test@example.com",
		Location:      time.UTC,
		Logger:        quiet,
		Observer:      metrics,
		CurrentGrant:  c.Authority.CurrentGrant,
		AllowLoopback: true,
	})
	require.NoError(t, err)
	c.Push, c.Preferences = pushes, pushes
	api = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var running sync.WaitGroup
	running.Go(func() { api.Run(ctx) })
	running.Go(func() { pushes.Run(ctx) })
	<-h.Ready()
	t.Cleanup(func() {
		h.Drain()
		api.Shutdown(context.Background())
		require.NoError(t, writer.Close())
		cancel()
		running.Wait()
		require.NoError(t, <-done)
	})
	return api, dir, tokens
}

// A configChange edits the configuration of a test. dir is the data directory.
type configChange = func(dir string, c *Config)

// newTestBrokerWith is like newTestBroker with a log and changes of the configuration. Its
// client keeps cookies.
func newTestBrokerWith(t *testing.T, log eventlog.Log, changes ...configChange) *testBroker {
	api, dir, tokens := runAPI(t, log, func(dir string, c *Config) {
		for _, change := range changes {
			if change != nil {
				change(dir, c)
			}
		}
	})
	server := httptest.NewServer(api)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s := &testBroker{t, server.URL, api, log, dir, tokens, &http.Client{Jar: jar, Transport: &http.Transport{}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// overBothWriters runs a test over both ways to write a stream: by package fanout, and by a
// goroutine for each stream.
func overBothWriters(t *testing.T, test func(t *testing.T, change configChange)) {
	t.Run("fanout", func(t *testing.T) { test(t, nil) })
	t.Run("goroutines", func(t *testing.T) { test(t, func(_ string, c *Config) { c.Fanout = nil }) })
}

// token returns a token for user 9.
func (s *testBroker) token(ttl time.Duration, roles ...access.Role) string {
	g, err := access.NewGrant("9", "", roles, 0)
	require.NoError(s, err)
	token, err := s.tokens.Create(g, ttl)
	require.NoError(s, err)
	return token
}

// send sends a request, and returns the answer and its body. A header is written "name:
// value".
func (s *testBroker) send(method, path, body string, headers ...string) (*http.Response, string) {
	s.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	require.NoError(s, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	answer, err := s.client.Do(r)
	require.NoError(s, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	return answer, string(text)
}

const isJSON = "Content-Type: application/json"
