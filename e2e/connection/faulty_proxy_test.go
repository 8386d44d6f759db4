package connection

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
)

// A faultyProxy is a proxy in front of a broker. It spoils the transports that a test names. A test may change the
// fields while the proxy runs.
type faultyProxy struct {
	holdStreams    atomic.Bool  // the proxy sends nothing of a stream
	refuseStreams  atomic.Bool  // the proxy answers 406 to a stream
	refuseUpgrades atomic.Bool  // the proxy answers 400 to a WebSocket
	badGateway     atomic.Bool  // the proxy answers 502 to all requests
	intercept      atomic.Value // an interceptFunc
	answerLifetime atomic.Int64 // how long an answer may take, a time.Duration; 0 means no limit
	cutAnswerCount atomic.Int64 // how many answers ended at answerLifetime
	streamEncoding atomic.Value // a string: the Content-Encoding of the newest stream of the broker
	cutConnections func()       // closes all connections of clients
}

// An interceptFunc answers a request in the broker's place and returns true, or returns false to pass the request on.
type interceptFunc = func(http.ResponseWriter, *http.Request) bool

// start starts the proxy in front of a broker, and returns the proxy's address. The proxy runs until the test ends.
func (p *faultyProxy) start(t *testing.T, s *stack.Stack) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		FlushInterval: -1,
		ModifyResponse: func(answer *http.Response) error {
			if answer.Request.URL.Path == "/api/sse" && answer.Request.Method == "GET" {
				p.streamEncoding.Store(answer.Header.Get("Content-Encoding"))
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lifetime := p.answerLifetime.Load(); lifetime > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), time.Duration(lifetime))
			defer cancel()
			defer func() {
				if ctx.Err() == context.DeadlineExceeded {
					p.cutAnswerCount.Add(1)
				}
			}()
			r = r.WithContext(ctx)
		}
		if intercept, ok := p.intercept.Load().(interceptFunc); ok && intercept(w, r) {
			return
		}
		isStream := r.URL.Path == "/api/sse" && r.Method == "GET"
		switch {
		case p.badGateway.Load():
			w.WriteHeader(http.StatusBadGateway)
		case isStream && p.holdStreams.Load():
			<-r.Context().Done() // The proxy buffers an answer that never ends.
		case isStream && p.refuseStreams.Load():
			w.WriteHeader(http.StatusNotAcceptable)
		case r.URL.Path == "/api/ws" && p.refuseUpgrades.Load():
			w.WriteHeader(http.StatusBadRequest)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	p.cutConnections = server.CloseClientConnections
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// openAsManager opens the app at an address in a tab of a new user, and signs the manager in.
func openAsManager(t *testing.T, address string, scripts ...string) *browser.Tab {
	t.Helper()
	tab := browser.NewUser(t).NewTab()
	for _, script := range scripts {
		tab.OnNewDocument(script)
	}
	tab.Open(address + "/")
	tab.Eventually(testkit.Soon, `document.querySelector("[data-user=manager]")`)
	tab.Click("[data-user=manager]")
	return tab
}
