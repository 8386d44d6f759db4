package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry"
	"github.com/snd-rental/yardline/shared/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// surface is the API over a log in memory.
type surface struct {
	*testing.T
	url    string
	api    *API
	log    eventlog.Log
	dir    string // of the token key and the users
	tokens *identity.Tokens
	client *http.Client
}

func newSurface(t *testing.T) *surface { return newSurfaceOn(t, memlog.New("k", time.Hour), nil) }

// newAPI runs the API over a log, with what change makes of the configuration,
// until the test ends. dir has the token key.
func newAPI(t testing.TB, log eventlog.Log, change func(dir string, c *Config)) (api *API, dir string, tokens *identity.Tokens) {
	metrics := telemetry.New()
	h := hub.New(hub.Config{Log: log, Observer: metrics})
	metrics.Watch(h, log)
	dir = t.TempDir()
	tokens, err := identity.OpenTokens(dir)
	require.NoError(t, err)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") })
	quiet := slog.New(slog.DiscardHandler)
	c := Config{Hub: h, Log: log, UI: page, LoopbackOnly: true, Origins: []string{"https://rental.example"}, Logger: quiet, Reporter: metrics, Metrics: metrics.Handler(quiet), IsDraining: func() bool { return false },
		Authority: &identity.Authority{Tokens: tokens, Sessions: identity.NewStoredSessions(log, "testtest", NeedsSecureCookie),
			Directory: identity.DemoDirectory{}}}
	if change != nil {
		change(dir, &c)
	}
	pushes, err := push.New(t.Context(), push.Config{Log: log, Contact: "test@example.com", Location: time.UTC, Logger: quiet, Observer: metrics, CurrentGrant: c.Authority.CurrentGrant, AllowLoopback: true})
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
		cancel()
		running.Wait()
		require.NoError(t, <-done)
	})
	return api, dir, tokens
}

// newSurfaceOn serves the API to a client with cookies.
func newSurfaceOn(t *testing.T, log eventlog.Log, change func(dir string, c *Config)) *surface {
	api, dir, tokens := newAPI(t, log, change)
	server := httptest.NewServer(api)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s := &surface{t, server.URL, api, log, dir, tokens, &http.Client{Jar: jar, Transport: &http.Transport{}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

func (s *surface) token(ttl time.Duration, roles ...access.Role) string {
	g, err := access.NewGrant("9", "", roles, 0)
	require.NoError(s, err)
	token, err := s.tokens.Create(g, ttl)
	require.NoError(s, err)
	return token
}

// send returns the answer and its body. A header is given as name: value.
func (s *surface) send(method, path, body string, headers ...string) (*http.Response, string) {
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

// TestRefusals: every refusal is a problem document with a stable code that
// names the field, and changes nothing.
func TestRefusals(t *testing.T) {
	s := newSurface(t)
	service, yard, manager := "Authorization: Bearer "+s.token(time.Hour, access.Service), "Authorization: Bearer "+s.token(time.Hour, access.Yard), "Authorization: Bearer "+s.token(time.Hour, access.Manager)
	expired := "Authorization: Bearer " + s.token(-time.Minute, access.Service)
	good := `{"type":"sync_progress","id":"a","data":{"progress":1}}`
	answer, body := s.send("POST", "/api/sse", good, service, isJSON)
	require.Equal(t, 201, answer.StatusCode, body)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, pointer      string
	}{
		"no credentials":   {"POST", "/api/sse", good, []string{isJSON}, 401, "sign_in_required", ""},
		"stream without":   {"GET", "/api/sse", "", nil, 401, "sign_in_required", ""},
		"snapshot without": {"GET", "/api/snapshot", "", nil, 401, "sign_in_required", ""},
		"expired":          {"POST", "/api/sse", good, []string{expired, isJSON}, 401, "expired", ""},
		"rubbish token": {"POST", "/api/sse", good, []string{"Authorization: Bearer x.y.z", isJSON}, 401,
			"invalid_token", ""},
		"unsigned token": {"POST", "/api/sse", good,
			[]string{"Authorization: Bearer eyJhbGciOiJub25lIn0." +
				"eyJzdWIiOiI5Iiwicm9sZXMiOlsic2VydmljZSJdLCJpc3MiOiJ5YXJkbGluZSIsImV4cCI6OTk5OTk5OTk5OX0.", isJSON},
			401, "invalid_token", ""},
		"another scheme": {"POST", "/api/sse", good, []string{"Authorization: Basic eDp5", isJSON}, 401,
			"sign_in_required", ""},
		"may not publish":      {"POST", "/api/sse", good, []string{yard, isJSON}, 403, "forbidden", ""},
		"not JSON by type":     {"POST", "/api/sse", good, []string{service, "Content-Type: text/plain"}, 415, "unsupported_media_type", ""},
		"no type":              {"POST", "/api/sse", good, []string{service}, 415, "unsupported_media_type", ""},
		"too large":            {"POST", "/api/sse", `{"x":"` + strings.Repeat("x", 30000) + `"}`, []string{service, isJSON}, 413, "too_large", ""},
		"broken JSON":          {"POST", "/api/sse", `{"type":`, []string{service, isJSON}, 422, "invalid_event", ""},
		"unknown type":         {"POST", "/api/sse", `{"type":"x","data":{}}`, []string{service, isJSON}, 422, "invalid_event", "/type"},
		"bad field":            {"POST", "/api/sse", `{"type":"sync_progress","data":{"progress":101}}`, []string{service, isJSON}, 422, "invalid_event", "/data/progress"},
		"unknown field strict": {"POST", "/api/sse?strict=true", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`, []string{service, isJSON}, 422, "invalid_event", "/data/x"},
		"bad strict":           {"POST", "/api/sse?strict=maybe", good, []string{service, isJSON}, 400, "invalid_parameter", "/strict"},
		"same id, other":       {"POST", "/api/sse", `{"type":"sync_progress","id":"a","data":{"progress":2}}`, []string{service, isJSON}, 409, "id_conflict", "/id"},
		"unknown filter type":  {"GET", "/api/sse?types=rental", "", []string{manager}, 400, "invalid_filter", "/types"},
		"unknown severity":     {"GET", "/api/sse?severity=loud", "", []string{manager}, 400, "invalid_filter", "/severity"},
		"slip of a parameter":  {"GET", "/api/sse?type=sync_progress", "", []string{manager}, 400, "invalid_parameter", "/type"},
		"unknown kind":         {"GET", "/api/sse?subjects=foo/1", "", []string{manager}, 400, "invalid_filter", "/subjects"},
		"history: limit":       {"GET", "/api/events?limit=0", "", []string{manager}, 400, "invalid_parameter", "/limit"},
		"history: wait":        {"GET", "/api/events?after=k-1&wait=56", "", []string{manager}, 400, "invalid_parameter", "/wait"},
		"history: wait alone":  {"GET", "/api/events?wait=1", "", []string{manager}, 400, "invalid_parameter", "/wait"},
		"history: both ways":   {"GET", "/api/events?after=k-1&before=k-1", "", []string{manager}, 400, "invalid_parameter", "/before"},
		"history: cursor":      {"GET", "/api/events?before=x", "", []string{manager}, 400, "invalid_cursor", "/before"},
		"history: no session":  {"GET", "/api/events", "", nil, 401, "sign_in_required", ""},
		"bad cursor":           {"GET", "/api/sse?after=17", "", []string{manager}, 400, "invalid_cursor", "/after"},
		"bad last event id":    {"GET", "/api/sse", "", []string{manager, "Last-Event-ID: x"}, 400, "invalid_cursor", "/Last-Event-ID"},
		"nothing here":         {"GET", "/api/nope", "", []string{manager}, 404, "not_found", ""},
		"another method there": {"POST", "/healthz", "", nil, 405, "method_not_allowed", ""},
		"bare api":             {"GET", "/api", "", nil, 404, "not_found", ""},
		"another name of ours": {"GET", "/api/session", "", []string{"Host: evil.example:8080"}, 421, "wrong_host", ""},
		"another method":       {"PUT", "/api/sse", "", []string{manager}, 405, "method_not_allowed", ""},
		"bad sign-in":          {"POST", "/api/session", `{}`, nil, 400, "invalid_sign_in", "/user"},
		"unknown user":         {"POST", "/api/session", `{"user":"nobody"}`, nil, 401, "sign_in_failed", ""},
		"another site":         {"POST", "/api/session", `{"user":"manager"}`, []string{"Sec-Fetch-Site: cross-site"}, 403, "cross_origin", ""},
		"another origin":       {"POST", "/api/sse", good, []string{service, isJSON, "Origin: https://evil.example"}, 403, "cross_origin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := s.send(c.method, c.path, c.body, c.headers...)
			require.Equal(t, c.status, answer.StatusCode, body)
			require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
			require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
			var p Problem
			require.NoError(t, json.Unmarshal([]byte(body), &p))
			require.Equal(t, c.code, p.Code)
			require.Equal(t, c.status, p.Status)
			require.NotEmpty(t, p.Title)
			require.NotEmpty(t, p.Detail)
			if c.pointer != "" {
				require.Equal(t, c.pointer, p.Errors[0].Pointer)
				require.NotEmpty(t, p.Errors[0].Expected)
			}
		})
	}
	b, err := s.log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, b.Last, "no refusal changes the log")
}

func TestPublishAnswers(t *testing.T) {
	s := newSurface(t)
	service := "Authorization: Bearer " + s.token(time.Hour, access.Service)
	body := `{"specversion":"1.0","type":"sync_progress","id":"a","source":"/erp","datacontenttype":"application/json","data":{"progress":1,"colour":"red"}}`
	answer, text := s.send("POST", "/api/sse", body, service, "Content-Type: application/cloudevents+json; charset=utf-8")
	require.Equal(t, 201, answer.StatusCode)
	require.JSONEq(t, `{"id":"a","cursor":"k-1","duplicate":false,"warnings":[{"pointer":"/data/colour","message":"unknown field, dropped"}]}`, text)
	answer, text = s.send("POST", "/api/sse", body, service, isJSON)
	require.Equal(t, 200, answer.StatusCode)
	require.Contains(t, text, `"duplicate":true`)
}

func TestStream(t *testing.T) {
	s := newSurface(t)
	service, manager := "Authorization: Bearer "+s.token(time.Hour, access.Service), s.token(time.Hour, access.Manager)
	s.send("POST", "/api/sse", `{"type":"payment_received","id":"1","data":{"rental_id":1,"amount":5,"payment_method":"cash"}}`, service, isJSON)
	s.send("POST", "/api/sse", `{"type":"system_notification","id":"2","data":{"message":"m"}}`, service, isJSON)
	r, err := http.NewRequest("GET", s.url+"/api/sse?types=system_notification&after=k-1", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+manager)
	r.Header.Set("Last-Event-ID", "k-0") // wins
	answer, err := s.client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, "text/event-stream; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Equal(t, "no-store, no-transform", answer.Header.Get("Cache-Control"))
	require.Equal(t, "no", answer.Header.Get("X-Accel-Buffering"))
	require.Equal(t, []string{"chunked"}, answer.TransferEncoding)
	lines := bufio.NewScanner(answer.Body)
	var got []string
	for len(got) < 8 && lines.Scan() {
		got = append(got, lines.Text())
	}
	require.Equal(t, []string{"retry: 1000", "id: k-0", "event: hello"}, got[:3])
	require.Equal(t, []string{"", "id: k-2", "event: system_notification"}, got[4:7])
	require.True(t, strings.HasPrefix(got[7], `data: {"specversion":"1.0","id":"2","type":"system_notification"`), got[7])
}

// TestSessions: sign-in by cookie, one session in place of another, sign-out,
// and streams that end with their session.
func TestSessions(t *testing.T) {
	s := newSurface(t)
	who := func() string {
		_, body := s.send("GET", "/api/session", "")
		var answer session
		require.NoError(t, json.Unmarshal([]byte(body), &answer))
		require.Len(t, answer.Users, 6)
		if answer.User == nil {
			return ""
		}
		return answer.User.Name
	}
	require.Equal(t, "", who())
	answer, _ := s.send("POST", "/api/session", `{"user":"employee"}`)
	cookie := answer.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "employee", who())

	r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(t, err)
	stream, err := s.client.Do(r)
	require.NoError(t, err)
	defer stream.Body.Close()
	answer, _ = s.send("POST", "/api/session", `{"user":"manager"}`)
	require.NotEqual(t, cookie.Value, answer.Cookies()[0].Value)
	require.Equal(t, "manager", who())
	rest, err := io.ReadAll(stream.Body) // ends by itself
	require.NoError(t, err)
	require.Contains(t, string(rest), `"reason":"signed_out"`)

	answer, _ = s.send("DELETE", "/api/session", "")
	require.Equal(t, 204, answer.StatusCode)
	require.Equal(t, "", who())
	// The old cookie is worth nothing.
	old := &http.Client{Transport: s.client.Transport}
	r, err = http.NewRequest("GET", s.url+"/api/snapshot", nil)
	require.NoError(t, err)
	r.AddCookie(cookie)
	late, err := old.Do(r)
	require.NoError(t, err)
	late.Body.Close()
	require.Equal(t, 401, late.StatusCode)
}

// heldLog holds a call of Bounds, once, until it is let go.
type heldLog struct {
	eventlog.Log
	armed         *atomic.Bool
	held, release chan struct{}
}

func (l heldLog) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	if l.armed.CompareAndSwap(true, false) {
		l.held <- struct{}{}
		<-l.release
	}
	return l.Log.Bounds(ctx)
}

// TestSignOutMeetsAStreamThatOpens: a stream on its way while its session ends
// is not opened.
func TestSignOutMeetsAStreamThatOpens(t *testing.T) {
	log := heldLog{memlog.New("k", time.Hour), &atomic.Bool{}, make(chan struct{}), make(chan struct{})}
	s := newSurfaceOn(t, log, nil)
	answer, _ := s.send("POST", "/api/session", `{"user":"hr"}`)
	cookie := answer.Cookies()[0]
	log.armed.Store(true)
	status := make(chan int, 1)
	go func() {
		r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.AddCookie(cookie)
		answer, err := (&http.Client{Transport: s.client.Transport}).Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-log.held
	s.send("DELETE", "/api/session", "")
	log.release <- struct{}{}
	require.Equal(t, 401, <-status)
}

// TestHalfClosedPublisher: who has sent everything and closes that side gets
// the receipt.
func TestHalfClosedPublisher(t *testing.T) {
	s := newSurface(t)
	body := `{"type":"sync_progress","data":{"progress":1}}`
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(c, "POST /api/sse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
			s.token(time.Hour, access.Service), isJSON, len(body), body)
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		text, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(text), "201 Created")
		require.Contains(t, string(text), `"cursor":"k-`)
		require.NoError(t, c.Close())
	}
}

func TestStreamsEndWithTheirToken(t *testing.T) {
	s := newSurface(t)
	r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token(2*time.Second, access.Manager))
	stream, err := s.client.Do(r)
	require.NoError(t, err)
	defer stream.Body.Close()
	all, err := io.ReadAll(stream.Body)
	require.NoError(t, err)
	require.Contains(t, string(all), `"reason":"expired"`)
}

func TestHealth(t *testing.T) {
	s := newSurface(t)
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		answer, body := s.send("GET", path, "")
		require.Equal(t, 200, answer.StatusCode)
		require.JSONEq(t, want, body)
	}
	answer, body := s.send("GET", "/any/page", "")
	require.Equal(t, "page", body)
	require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
}
