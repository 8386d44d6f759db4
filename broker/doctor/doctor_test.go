package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a broker, and returns its address and a manager's token.
func serve(t *testing.T, c broker.Config) (string, string) {
	address, tokens := serveFor(t, c, access.Manager)
	return address, tokens[0]
}

// serveFor runs a broker, and returns its address and a token of each role.
func serveFor(t *testing.T, c broker.Config, roles ...access.Role) (address string, tokens []string) {
	t.Helper()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	c.PushContact = cmp.Or(c.PushContact, "mailto:ops@rental.company")
	b, err := broker.New(t.Context(), c)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, b.Close())
	})
	for _, role := range roles {
		g, err := access.NewGrant("4", "", []access.Role{role}, 0)
		require.NoError(t, err)
		token, err := b.CreateToken(g, time.Hour)
		require.NoError(t, err)
		tokens = append(tokens, token)
	}
	require.Eventually(
		t,
		func() bool { return check(t, b.URL(), "")["reachable"].Result == OK },
		20*time.Second,
		10*time.Millisecond,
	)
	return b.URL(), tokens
}

func check(t *testing.T, address, token string) map[string]Finding {
	t.Helper()
	found := map[string]Finding{}
	require.NoError(
		t,
		Check(
			t.Context(),
			Config{URL: address, Token: token, TLS: &tls.Config{InsecureSkipVerify: true}},
			func(f Finding) { // the tests sign for themselves
				found[f.Check] = f
				require.NotEmpty(t, f.Found)
				if f.Result == OK {
					require.Empty(t, f.Change)
				} else {
					require.NotEmpty(t, f.Change)
				}
			},
		),
	)
	return found
}

// between is a proxy in front of a broker that does something to it.
func between(t *testing.T, address string, spoil func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	target, err := url.Parse(address)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s := httptest.NewUnstartedServer(
		spoil(
			&httputil.ReverseProxy{
				Transport:    transport,
				ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
				Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
			},
		),
	)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func TestHealthy(t *testing.T) {
	address, token := serve(t, broker.Config{})
	for name, f := range check(t, address, token) {
		require.Equal(t, OK, f.Result, "%s: %s", name, f.Found)
	}
	require.Equal(t, Skipped, check(t, address, "")["stream"].Result)
	require.Error(t, Check(t.Context(), Config{URL: "yard.example"}, nil))
	require.Contains(t, check(t, address+"/yard/", "")["reachable"].Change, "without /yard")
	refused := check(t, address, "no-token")["stream"]
	require.Contains(t, refused.Found, "The broker refuses the stream with status 401 (invalid_token)")
	require.NotContains(t, refused.Found+refused.Change, "proxy")
	require.Equal(
		t,
		map[string]Result{"reachable": Failed},
		map[string]Result{"reachable": check(t, "http://127.0.0.1:1", "")["reachable"].Result},
	)
}

// TestBrokerWithoutKeys: a broker that waits for its identity provider refuses by
// itself, and no proxy is blamed for it.
func TestBrokerWithoutKeys(t *testing.T) {
	provider := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(provider.Close)
	address, _ := serve(t, broker.Config{Auth: broker.AuthJWT, Issuer: identity.IssuerConfig{
		Issuer: "https://id.example", Audience: "yardline",
		JWKSURL: provider.URL}})
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.c2ln"
	found := check(t, address, token)
	require.Contains(t, found["identity_keys"].Found, "if any")
	for _, name := range []string{"sign-in", "stream", "websocket"} {
		require.Equal(t, Failed, found[name].Result, name)
		require.Contains(t, found[name].Found, "with status 503 (starting)", name)
		require.NotContains(t, found[name].Found+found[name].Change, "proxy", name)
	}
}

// TestAilments: what stands in between, or is set wrongly, is named with what
// to change.
func TestAilments(t *testing.T) {
	address, token := serve(t, broker.Config{Heartbeat: time.Minute})
	on := func(path string, do http.HandlerFunc) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, path) {
					do(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	hold := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		spoil       func(http.Handler) http.Handler
		check       string
		result      Result
		found, does string
	}{
		"a proxy that gathers all": {on("/api/sse", hold), "stream", Failed, "holds the stream back", "proxy_buffering"},
		"a proxy that holds the body": {on("/api/sse", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Via", "1.1 squid")
			w.WriteHeader(200)
			http.NewResponseController(w).Flush()
			hold(w, r)
		}), "stream", Failed, "through 1.1 squid", "proxy_buffering"},
		"a portal": {on("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>welcome") }), "reachable", Failed, "Something else", "Point the proxy"},
		"a redirect": {on("/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://yard.example/", http.StatusFound)
		}), "reachable", Failed, "http://yard.example/", "give that address"},
		"a redirect of the API alone": {on("/api/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example/", http.StatusFound)
		}), "sign-in", Failed, "http://login.example/", "programs"},
		"a page in place of a stream": {on("/api/sse", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<html>no")
		}), "stream", Failed, "status 403: <html>no", "proxy"},
		"no upgrade": {on("/api/ws", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }), "websocket", Warning, "status 400", "Upgrade"},
		"a proxy's 403 in place of a WebSocket": {on("/api/ws", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusForbidden)
		}), "websocket", Warning, "status 403", "Upgrade"},
		"a proxy's 401 in place of a WebSocket": {on("/api/ws", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusUnauthorized)
		}), "websocket", Warning, "status 401", "Upgrade"},
		"no credentials": {func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Authorization"); next.ServeHTTP(w, r) })
		}, "sign-in", Failed, "does not know the token", "Authorization"},
		"another clock": {on("/readyz", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			io.WriteString(w, `{"status":"ready"}`)
		}), "clock", Warning, "1h0m", "NTP"},
		"another name": {func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Host = "localhost:1"; next.ServeHTTP(w, r) })
		}, "websocket", Failed, "another site", "$http_host"},
		"nobody behind": {on("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }), "reachable", Failed, "502", "Start the broker"},
		"not ready": {on("/readyz", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(507)
			io.WriteString(w, `{"status":507,"code":"log_full","title":"The event log is full"}`)
		}), "reachable", Failed, "log_full", "log"},
		"rare heartbeats": {func(next http.Handler) http.Handler { return next }, "heartbeat", Warning, "1m0s", "--heartbeat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := between(t, address, c.spoil)
			proxy.Start()
			f := check(t, proxy.URL, token)[c.check]
			require.Equal(t, c.result, f.Result, f.Found)
			require.Contains(t, f.Found, c.found)
			require.Contains(t, f.Change, c.does)
		})
	}
	// The certificate of httptest is good for long; it speaks HTTP/1.1 here.
	proxy := between(t, address, func(next http.Handler) http.Handler { return next })
	proxy.StartTLS()
	f := check(t, proxy.URL, token)["tls"]
	require.Equal(t, Warning, f.Result)
	require.Contains(t, f.Change, "HTTP/2")
	require.Equal(t, OK, check(t, proxy.URL, token)["websocket"].Result)
}
