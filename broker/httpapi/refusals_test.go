package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

// Every refusal is a problem document with a stable code. It points to the field, and
// nothing is stored.
func TestRefusalsAreProblemDocumentsAndChangeNothing(t *testing.T) {
	s := newTestBroker(t)
	service, yard, manager := s.bearer(access.Service), s.bearer(access.Yard), s.bearer(access.Manager)
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
		"may not publish": {"POST", "/api/sse", good, []string{yard, isJSON}, 403, "forbidden", ""},
		"not JSON by type": {"POST", "/api/sse", good, []string{service, "Content-Type: text/plain"}, 415,
			"unsupported_media_type", ""},
		"no type": {"POST", "/api/sse", good, []string{service}, 415, "unsupported_media_type", ""},
		"too large": {"POST", "/api/sse", `{"x":"` + strings.Repeat("x", 30000) + `"}`,
			[]string{service, isJSON}, 413, "too_large", ""},
		"broken JSON": {"POST", "/api/sse", `{"type":`, []string{service, isJSON}, 422, "invalid_event", ""},
		"unknown type": {"POST", "/api/sse", `{"type":"x","data":{}}`, []string{service, isJSON}, 422,
			"invalid_event", "/type"},
		"bad field": {"POST", "/api/sse", `{"type":"sync_progress","data":{"progress":101}}`,
			[]string{service, isJSON}, 422, "invalid_event", "/data/progress"},
		"unknown field strict": {"POST", "/api/sse?strict=true",
			`{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`,
			[]string{service, isJSON}, 422, "invalid_event", "/data/x"},
		"bad strict": {"POST", "/api/sse?strict=maybe", good, []string{service, isJSON}, 400,
			"invalid_parameter", "/strict"},
		"same id, other": {"POST", "/api/sse", `{"type":"sync_progress","id":"a","data":{"progress":2}}`,
			[]string{service, isJSON}, 409, "id_conflict", "/id"},
		"unknown filter type": {"GET", "/api/sse?types=rental", "", []string{manager}, 400, "invalid_filter",
			"/types"},
		"unknown severity": {"GET", "/api/sse?severity=loud", "", []string{manager}, 400, "invalid_filter",
			"/severity"},
		"slip of a parameter": {"GET", "/api/sse?type=sync_progress", "", []string{manager}, 400, "invalid_parameter",
			"/type"},
		"unknown kind": {"GET", "/api/sse?subjects=foo/1", "", []string{manager}, 400, "invalid_filter",
			"/subjects"},
		"history: limit": {"GET", "/api/events?limit=0", "", []string{manager}, 400, "invalid_parameter",
			"/limit"},
		"history: wait": {"GET", "/api/events?after=k-1&wait=56", "", []string{manager}, 400,
			"invalid_parameter", "/wait"},
		"history: wait alone": {"GET", "/api/events?wait=1", "", []string{manager}, 400, "invalid_parameter", "/wait"},
		"history: both ways": {"GET", "/api/events?after=k-1&before=k-1", "", []string{manager}, 400,
			"invalid_parameter", "/before"},
		"history: cursor": {"GET", "/api/events?before=x", "", []string{manager}, 400, "invalid_cursor",
			"/before"},
		"history: no session": {"GET", "/api/events", "", nil, 401, "sign_in_required", ""},
		"bad cursor":          {"GET", "/api/sse?after=17", "", []string{manager}, 400, "invalid_cursor", "/after"},
		"bad last event id": {"GET", "/api/sse", "", []string{manager, "Last-Event-ID: x"}, 400, "invalid_cursor",
			"/Last-Event-ID"},
		"nothing here":         {"GET", "/api/nope", "", []string{manager}, 404, "not_found", ""},
		"another method there": {"POST", "/healthz", "", nil, 405, "method_not_allowed", ""},
		"bare api":             {"GET", "/api", "", nil, 404, "not_found", ""},
		"another name of ours": {"GET", "/api/session", "", []string{"Host: evil.example:8080"}, 421, "wrong_host", ""},
		"another method":       {"PUT", "/api/sse", "", []string{manager}, 405, "method_not_allowed", ""},
		"bad sign-in":          {"POST", "/api/session", `{}`, nil, 400, "invalid_sign_in", "/user"},
		"unknown user":         {"POST", "/api/session", `{"user":"nobody"}`, nil, 401, "sign_in_failed", ""},
		"another site": {"POST", "/api/session", `{"user":"manager"}`, []string{"Sec-Fetch-Site: cross-site"},
			403, "cross_origin", ""},
		"another origin": {"POST", "/api/sse", good, []string{service, isJSON, "Origin: https://evil.example"},
			403, "cross_origin", ""},
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
