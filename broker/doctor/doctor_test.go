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
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a broker until the end of the test. It returns its address and the token of a
// manager.
func serve(t *testing.T, c broker.Config) (string, string) {
	address, tokens := serveFor(t, c, access.Manager)
	return address, tokens[0]
}

// serveFor is like serve, and returns a token for each role.
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
	isReady := func() bool { return check(t, b.URL(), "")["reachable"].Result == OK }
	waittest.Eventually(t, isReady, 20*time.Second, 10*time.Millisecond)
	return b.URL(), tokens
}

// anyCertificate returns a configuration that accepts the self-signed certificates of the
// tests. Each client needs its own, because its transport changes the configuration.
func anyCertificate() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// check runs the checks, and returns the findings by the names of the checks. It requires
// that each finding has an advice unless it is OK.
func check(t *testing.T, address, token string) map[string]Finding {
	t.Helper()
	findings := map[string]Finding{}
	c := Config{URL: address, Token: token, TLS: anyCertificate()}
	require.NoError(t, Check(t.Context(), c, func(f Finding) {
		findings[f.Check] = f
		require.NotEmpty(t, f.Found)
		if f.Result == OK {
			require.Empty(t, f.Change)
		} else {
			require.NotEmpty(t, f.Change)
		}
	}))
	return findings
}

// proxyOf returns a proxy in front of a broker, which is not started yet. change wraps its
// handler.
func proxyOf(t *testing.T, address string, change func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	target, err := url.Parse(address)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s := httptest.NewUnstartedServer(change(&httputil.ReverseProxy{
		Transport:    transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func TestHealthyBrokerPassesAllChecks(t *testing.T) {
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
	require.Equal(t, Failed, check(t, "http://127.0.0.1:1", "")["reachable"].Result, "nothing listens there")
}

// A broker that waits for the keys of its identity provider refuses requests itself. No
// proxy must be blamed for that.
func TestBrokersOwnRefusalIsNotBlamedOnAProxy(t *testing.T) {
	provider := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(provider.Close)
	issuer := identity.IssuerConfig{Issuer: "https://id.example", Audience: "yardline", JWKSURL: provider.URL}
	address, _ := serve(t, broker.Config{Auth: broker.AuthJWT, Issuer: issuer})
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.c2ln"
	findings := check(t, address, token)
	require.Contains(t, findings["identity_keys"].Found, "if any")
	for _, name := range []string{"sign-in", "stream", "websocket"} {
		require.Equal(t, Failed, findings[name].Result, name)
		require.Contains(t, findings[name].Found, "with status 503 (starting)", name)
		require.NotContains(t, findings[name].Found+findings[name].Change, "proxy", name)
	}
}

// Each faulty proxy or setting must have a finding that names it and has an advice.
func TestFaultsAreFoundWithAdvice(t *testing.T) {
	address, token := serve(t, broker.Config{Heartbeat: time.Minute})
	// answerBelow returns a proxy that answers the requests below a path itself.
	answerBelow := func(path string, answer http.HandlerFunc) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, path) {
					answer(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	hold := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	deny := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	// changeRequests returns a proxy that changes each request before the broker gets it.
	changeRequests := func(change func(*http.Request)) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(r); next.ServeHTTP(w, r) })
		}
	}
	for name, c := range map[string]struct {
		change        func(http.Handler) http.Handler
		check         string
		result        Result
		found, advice string
	}{
		"a proxy that gathers all": {
			answerBelow("/api/sse", hold),
			"stream", Failed, "holds the stream back", "proxy_buffering",
		},
		"a proxy that holds the body": {answerBelow("/api/sse", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Via", "1.1 squid")
			w.WriteHeader(200)
			http.NewResponseController(w).Flush()
			hold(w, r)
		}), "stream", Failed, "through 1.1 squid", "proxy_buffering"},
		"a portal": {answerBelow("/", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>welcome")
		}), "reachable", Failed, "Something else", "Point the proxy"},
		"a redirect": {
			answerBelow("/", redirect("http://yard.example/")),
			"reachable", Failed, "http://yard.example/", "give that address",
		},
		"a redirect of the API alone": {
			answerBelow("/api/", redirect("http://login.example/")),
			"sign-in", Failed, "http://login.example/", "programs",
		},
		"a page in place of a stream": {answerBelow("/api/sse", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<html>no")
		}), "stream", Failed, "status 403: <html>no", "proxy"},
		"no upgrade": {answerBelow("/api/ws", status(400)), "websocket", Warning, "status 400", "Upgrade"},
		"a proxy's 403 in place of a WebSocket": {
			answerBelow("/api/ws", deny(http.StatusForbidden)),
			"websocket", Warning, "status 403", "Upgrade",
		},
		"a proxy's 401 in place of a WebSocket": {
			answerBelow("/api/ws", deny(http.StatusUnauthorized)),
			"websocket", Warning, "status 401", "Upgrade",
		},
		"no credentials": {
			changeRequests(func(r *http.Request) { r.Header.Del("Authorization") }),
			"sign-in", Failed, "does not know the token", "Authorization",
		},
		"another clock": {answerBelow("/readyz", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			io.WriteString(w, `{"status":"ready"}`)
		}), "clock", Warning, "1h0m", "NTP"},
		"another name": {
			changeRequests(func(r *http.Request) { r.Host = "localhost:1" }),
			"websocket", Failed, "another site", "$http_host",
		},
		"no broker behind the proxy": {
			answerBelow("/", status(http.StatusBadGateway)),
			"reachable", Failed, "502", "Start the broker",
		},
		"not ready": {answerBelow("/readyz", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(507)
			io.WriteString(w, `{"status":507,"code":"log_full","title":"The event log is full"}`)
		}), "reachable", Failed, "log_full", "log"},
		"rare heartbeats": {changeRequests(func(*http.Request) {}), "heartbeat", Warning, "1m0s", "--heartbeat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := proxyOf(t, address, c.change)
			proxy.Start()
			f := check(t, proxy.URL, token)[c.check]
			require.Equal(t, c.result, f.Result, f.Found)
			require.Contains(t, f.Found, c.found)
			require.Contains(t, f.Change, c.advice)
		})
	}
	// The certificate of httptest is valid for years, but this server speaks only HTTP/1.1.
	proxy := proxyOf(t, address, changeRequests(func(*http.Request) {}))
	proxy.StartTLS()
	f := check(t, proxy.URL, token)["tls"]
	require.Equal(t, Warning, f.Result)
	require.Contains(t, f.Change, "HTTP/2")
	require.Equal(t, OK, check(t, proxy.URL, token)["websocket"].Result)
}
