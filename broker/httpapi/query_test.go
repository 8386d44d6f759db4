package httpapi

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// Go's parser drops malformed pairs of a query silently. Every route of the API must
// refuse such a query, and point to the parameter.
func TestEveryRouteRefusesMalformedQueries(t *testing.T) {
	s := newTestBroker(t)
	everything := s.bearer(access.Manager, access.Admin, access.Service)
	malformed := map[string]string{
		"types=payment_received;severity=error":       "/types",
		"subjects=rental/100%":                        "/subjects",
		"subjects=rental/7%zz&types=payment_received": "/subjects",
		"types=payment_received&severity=error%":      "/severity",
		"types=payment_received&a;b=c":                "/a;b",
		"%=1":                                         "/%",
		"types=payment_received&strict=tr%u0065":      "/strict",
		"for=publish;&wait=1":                         "/for",
		"a~b=%":                                       "/a~0b",
	}
	checked := 0
	for _, r := range s.api.routes {
		if !strings.HasPrefix(r.path, "/api/") {
			continue
		}
		checked++
		path := r.path
		for query, pointer := range malformed {
			answer, body := s.send(r.method, path+"?"+query, "", everything)
			require.Equal(t, 400, answer.StatusCode, "%s %s?%s: %s", r.method, path, query, body)
			requireField(t, body, pointer)
		}
		answer, body := s.send(r.method, path+"?colour=red", "", everything)
		require.Equal(t, 400, answer.StatusCode, "%s %s: %s", r.method, path, body)
		requireField(t, body, "/colour")
	}
	require.Greater(t, checked, 15)
	for path, pointer := range map[string]string{
		"/api/sse?after=k-1&after=k-2":             "/after",
		"/api/sse?lastEventId=k-1&lastEventId=":    "/lastEventId",
		"/api/events?limit=1&limit=500":            "/limit",
		"/api/schema/sync_progress?for=a&for=read": "/for",
	} {
		answer, body := s.send("GET", path, "", everything)
		require.Equal(t, 400, answer.StatusCode, body)
		requireField(t, body, pointer)
	}
	c := s.socket("/api/ws", everything)
	nextFrame[*wire.Hello](c)
	for call, pointer := range map[string]string{
		"types=payment_received;severity=error": "/types", "subjects=rental/100%": "/subjects", "colour=red": "/colour",
	} {
		raw, err := json.Marshal(wire.Call{Call: wire.CallFilter, Filter: call})
		require.NoError(t, err)
		c.sendText(string(raw))
		requireField(t, string(nextFrame[*wire.Reply](c).Data), pointer)
	}
	answer, body := s.send("GET", "/api/events?types=payment_received&types=rental_overdue&limit=5", "", everything)
	require.Equal(t, 200, answer.StatusCode, "a list may be repeated: %s", body)
}

// requireField requires the refusal of a parameter.
func requireField(t *testing.T, body, pointer string) {
	t.Helper()
	var p Problem
	require.NoError(t, json.Unmarshal([]byte(body), &p), body)
	require.Equal(t, "invalid_parameter", p.Code, body)
	require.Equal(t, pointer, p.Errors[0].Pointer, body)
}

// frontConfig returns the configuration of a front, with its tokens.
func frontConfig(t *testing.T) (Config, *identity.Tokens) {
	t.Helper()
	tokens, err := identity.OpenTokens(t.TempDir())
	require.NoError(t, err)
	return Config{
		Hub:        hub.New(hub.Config{Log: memlog.New("k", time.Hour)}),
		Authority:  &identity.Authority{Tokens: tokens},
		UI:         http.NotFoundHandler(),
		Logger:     slog.New(slog.DiscardHandler),
		IsDraining: func() bool { return false },
	}, tokens
}

// A front has every route of an API. The edge serves the script of the status widget as a static file.
func TestFrontForwardsEveryRoute(t *testing.T) {
	c, _ := frontConfig(t)
	forwarded := map[string]bool{"GET /embed/v1/status.js": true}
	for _, r := range NewFront(c, nil).routes {
		forwarded[r.method+" "+r.path] = true
	}
	for _, r := range newTestBroker(t).api.routes {
		require.Contains(t, forwarded, r.method+" "+r.path)
	}
}

// A front refuses malformed queries as well, and forwards none of them.
func TestFrontForwardsNoMalformedQuery(t *testing.T) {
	c, tokens := frontConfig(t)
	passed := 0
	front := NewFront(c, func(http.ResponseWriter, *http.Request, *identity.Principal) { passed++ })
	token, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Admin}}, time.Hour)
	require.NoError(t, err)
	ask := func(path string) int {
		path, query, _ := strings.Cut(path, "?")
		r := httptest.NewRequest("GET", path, nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		return w.Code
	}
	for _, path := range []string{
		"/api/sse?types=payment_received;severity=error", "/api/events?subjects=rental/100%", "/api/snapshot?x=1",
	} {
		require.Equal(t, 400, ask(path), path)
	}
	require.Zero(t, passed)
	w := httptest.NewRecorder()
	front.ServeHTTP(w, httptest.NewRequest("OPTIONS", "/embed/v1/status.json", nil))
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"), "a preflight")
	require.Zero(t, passed)
	require.Equal(t, 200, ask("/api/sse?types=payment_received"))
	require.Equal(t, 1, passed)
}

// Every route that resumes accepts lastEventId as another name of after. The newest of
// the three places of a cursor takes precedence.
func TestNewestResumeCursorWins(t *testing.T) {
	s := newTestBroker(t)
	for range 3 {
		event := `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`
		s.send("POST", "/api/sse", event, s.bearer(access.Service), isJSON)
	}
	for _, c := range []struct {
		query, header string
		want          uint64
	}{
		{"lastEventId=k-2", "", 2}, {"after=k-1&lastEventId=k-2", "", 2}, {"lastEventId=&after=k-1", "", 1},
		{"after=k-1&lastEventId=k-2", "k-0", 0}, {"lastEventId=k-2", "k-1", 1}, {"lastEventId=oldest", "", 0},
	} {
		r := httptest.NewRequest("GET", "/api/sse?"+c.query, nil)
		r.Header.Set("Last-Event-ID", c.header)
		at, err := parseResumeCursor(r)
		require.NoError(t, err)
		require.Equal(t, c.want, at.Seq, "%+v", c)
		headers := []string{s.bearer(access.Manager)}
		if c.header != "" {
			headers = append(headers, "Last-Event-ID: "+c.header)
		}
		_, body := s.send("GET", "/api/events?"+c.query, "", headers...)
		var page struct{ Events []json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(body), &page), body)
		require.Len(t, page.Events, int(3-c.want), "%+v", c)
		socket := s.socket("/api/ws?"+c.query, headers...)
		require.Equal(t, c.want, nextFrame[*wire.Hello](socket).Start.Seq, "%+v", c)
	}
	_, body := s.send("GET", "/api/sse?lastEventId=x", "", s.bearer(access.Manager))
	require.Contains(t, body, `"invalid_cursor"`)
	require.Contains(t, body, `"/lastEventId"`)
}
