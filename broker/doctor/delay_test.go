package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/shared/access"
)

// streamProxy returns a proxy that passes each piece of a stream on by calling write. The
// proxy is not started yet.
func streamProxy(
	t *testing.T,
	address string,
	write func(ctx context.Context, w http.ResponseWriter, piece []byte),
) *httptest.Server {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return proxyOf(t, address, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/sse" || r.Method != "GET" {
				next.ServeHTTP(w, r)
				return
			}
			out, err := http.NewRequestWithContext(r.Context(), "GET", address+r.URL.RequestURI(), nil)
			if err != nil {
				return
			}
			out.Header = r.Header.Clone()
			answer, err := client.Do(out)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
			piece := make([]byte, 1<<16)
			for {
				n, err := answer.Body.Read(piece)
				if err != nil {
					return
				}
				write(r.Context(), w, piece[:n])
			}
		})
	})
}

// writeNow writes a piece and sends it at once.
func writeNow(w http.ResponseWriter, piece []byte) {
	w.Write(piece)
	_ = http.NewResponseController(w).Flush()
}

// delayBy returns a function that delays each piece, as HAProxy does without http-no-delay.
func delayBy(d time.Duration) func(context.Context, http.ResponseWriter, []byte) {
	return func(ctx context.Context, w http.ResponseWriter, piece []byte) {
		wait, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		<-wait.Done()
		writeNow(w, piece)
	}
}

// The doctor must measure with an event if the token may publish and see one, and with the
// hello of a stream otherwise.
func TestProxyThatDelaysEventsIsFound(t *testing.T) {
	address, tokens := serveFor(t, broker.Config{}, access.Admin, access.Manager, access.Service)
	admin, manager := tokens[0], tokens[1]
	countPublished := func() int {
		r, err := http.NewRequest("GET", address+"/api/events?after=oldest", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+admin)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return strings.Count(string(body), `"doctor-`)
	}
	for _, token := range tokens[1:] {
		f := check(t, address, token)["delay"]
		require.Equal(t, OK, f.Result, f.Found)
		require.Contains(t, f.Found, "first word")
	}
	require.Zero(t, countPublished())
	require.NoError(t, Check(t.Context(), Config{URL: address, Token: admin, ReadOnly: true}, func(Finding) {}))
	require.Zero(t, countPublished())
	f := check(t, address, admin)["delay"]
	require.Equal(t, OK, f.Result, f.Found)
	require.Regexp(t, `^An event came [0-9.]+(µs|ms) after it was stored\.$|^An event came 0s after`, f.Found)
	require.Positive(t, countPublished())

	proxy := streamProxy(t, address, delayBy(300*time.Millisecond))
	proxy.Start()
	for _, token := range []string{admin, manager} {
		f := check(t, proxy.URL, token)["delay"]
		require.Equal(t, Warning, f.Result, f.Found)
		delay, err := time.ParseDuration(regexp.MustCompile(`[0-9.]+m?s`).FindString(f.Found))
		require.NoError(t, err)
		require.Greater(t, delay, 200*time.Millisecond)
		require.Contains(t, f.Change, "option http-no-delay")
		require.NotContains(t, f.Change, "flush_interval")
	}
}

// A proxy passes the hello on and holds back everything after it.
func TestProxyThatHoldsEventsBackIsFound(t *testing.T) {
	address, tokens := serveFor(t, broker.Config{Heartbeat: 2 * time.Second}, access.Admin)
	var gathered bytes.Buffer
	pieces := 0
	proxy := streamProxy(t, address, func(_ context.Context, w http.ResponseWriter, piece []byte) {
		if pieces++; pieces == 1 {
			writeNow(w, piece)
			return
		}
		gathered.Write(piece)
	})
	proxy.Start()
	f := check(t, proxy.URL, tokens[0])["delay"]
	require.Equal(t, Failed, f.Result, f.Found)
	require.Contains(t, f.Found, "within 7s")
	require.Contains(t, f.Change, "proxy_buffering off")
}

func TestCompressedStreamIsAWarningEvenIfItComesInTime(t *testing.T) {
	address, token := serve(t, broker.Config{})
	var zip *gzip.Writer
	proxy := streamProxy(t, address, func(_ context.Context, w http.ResponseWriter, piece []byte) {
		if zip == nil {
			w.Header().Set("Content-Encoding", "gzip")
			zip = gzip.NewWriter(w)
		}
		zip.Write(piece)
		zip.Flush()
		_ = http.NewResponseController(w).Flush()
	})
	proxy.Start()
	found := check(t, proxy.URL, token)
	require.Equal(t, Warning, found["compression"].Result)
	require.Equal(t, OK, found["stream"].Result, found["stream"].Found)
}

// A proxy asks for a password. The doctor must report it, pass it with the password in the
// address, and never show the password.
func TestBasicAuthenticationInFrontIsReportedAndPassed(t *testing.T) {
	address, token := serve(t, broker.Config{})
	for path, covers := range map[string]bool{"/": true, "/api/": true, "/other": false} {
		proxy := proxyOf(t, address, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				if strings.HasPrefix(r.URL.Path, path) && (user != "staff" || password != "gatepass") {
					w.Header().Set("WWW-Authenticate", `Basic realm="Staff"`)
					w.Header().Set("Server", "nginx")
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		proxy.Start()
		u, err := url.Parse(proxy.URL)
		require.NoError(t, err)
		f, isReported := check(t, proxy.URL, token)["basic"]
		require.Equal(t, covers, isReported, path)
		if !covers {
			continue
		}
		require.Equal(t, Failed, f.Result)
		require.Contains(t, f.Found, `HTTP Basic authentication (Basic realm="Staff")`)
		require.Contains(t, f.Found, "through nginx")
		u.User = url.UserPassword("staff", "wrongpass")
		require.Contains(t, check(t, u.String(), token)["basic"].Found, "refuses")
		u.User = url.UserPassword("staff", "gatepass")
		found := check(t, u.String(), token)
		require.Equal(t, Warning, found["basic"].Result)
		require.Equal(t, OK, found["sign-in"].Result, found["sign-in"].Found)
		require.Equal(t, Skipped, found["stream"].Result)
		for _, f := range found {
			require.NotContains(t, f.Found+f.Change, "gatepass")
		}
	}
	err := Check(t.Context(), Config{URL: "htp://staff:gatepass@yard"}, nil)
	require.ErrorContains(t, err, "address of a broker")
	require.NotContains(t, err.Error(), "gatepass")
}

func TestOtherAuthenticationInFrontIsNamedByItsScheme(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	require.Contains(t, check(t, s.URL, "")["basic"].Found, "HTTP Negotiate authentication")
}

// HSTS applies to more than the broker. An operator may notice that too late.
func TestHSTSIsReportedWithItsScope(t *testing.T) {
	address, _ := serve(t, broker.Config{})
	for name, c := range map[string]struct {
		values []string
		result Result // "" for no finding
		found  string
	}{
		"another port": {[]string{"max-age=31536000"}, Warning, "every port of 127.0.0.1, for 365 days"},
		"names below": {[]string{`max-age="86400" ; IncludeSubdomains`}, Warning,
			"and of every name below it, for 1 days"},
		"twice":              {[]string{"max-age=60", "max-age=31536000"}, Warning, "2 times"},
		"taken back":         {[]string{"max-age=0"}, OK, "forget"},
		"of no age":          {[]string{"preload"}, OK, "forget"},
		"none":               {nil, "", ""},
		"an age that is odd": {[]string{"max-age=soon"}, OK, "forget"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := proxyOf(t, address, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header()["Strict-Transport-Security"] = c.values
					next.ServeHTTP(w, r)
				})
			})
			proxy.StartTLS()
			found := map[string]Finding{}
			config := Config{URL: proxy.URL, TLS: anyCertificate()}
			require.NoError(t, Check(t.Context(), config, func(f Finding) { found[f.Check] = f }))
			require.Equal(t, c.result, found["hsts"].Result, found["hsts"].Found)
			require.Contains(t, found["hsts"].Found, c.found)
		})
	}
}

func TestWarningsOfTheBrokerAreFindings(t *testing.T) {
	address, token := serve(t, broker.Config{PushContact: "mailto:ops@company.example"})
	f := check(t, address, token)[broker.WarnPushContact]
	require.Equal(t, Warning, f.Result)
	require.Contains(t, f.Found, "--push-contact")
}
