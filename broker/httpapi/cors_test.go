package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

func TestOnlyPagesOfAllowedOriginsUseTheAPI(t *testing.T) {
	s := newTestBroker(t)
	const ours, foreign = "Origin: https://rental.example", "Origin: https://evil.example"
	preflight := []string{"Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization, Content-Type,ce-id,idempotency-key, x-other"}

	r, _ := s.send("OPTIONS", "/api/sse", "", append(preflight, ours)...)
	require.Equal(t, 204, r.StatusCode, "without a session")
	require.Equal(t, "https://rental.example", r.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", r.Header.Get("Access-Control-Allow-Credentials"))
	require.Equal(t, "authorization, content-type, ce-id, idempotency-key",
		r.Header.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "GET, POST, PUT, DELETE", r.Header.Get("Access-Control-Allow-Methods"))
	asked := "authorization,traceparent,Tracestate,baggage,sentry-trace,x-b3-traceid,x-datadog-origin,x-evil"
	r, _ = s.send("OPTIONS", "/api/events", "", ours,
		"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: "+asked)
	require.Equal(t, "authorization, traceparent, tracestate, baggage, sentry-trace, x-b3-traceid, x-datadog-origin",
		r.Header.Get("Access-Control-Allow-Headers"))
	r, _ = s.send("OPTIONS", "/api/sse", "", append(preflight, foreign)...)
	require.Equal(t, 405, r.StatusCode)
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))

	service := s.bearer(access.Service)
	body := `{"type":"sync_progress","data":{"progress":1}}`
	r, text := s.send("POST", "/api/sse", body, service, isJSON, ours, "Sec-Fetch-Site: cross-site")
	require.Equal(t, 201, r.StatusCode, text)
	require.Equal(t, "https://rental.example", r.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Retry-After, X-Request-Id", r.Header.Get("Access-Control-Expose-Headers"))
	require.Equal(t, "Origin", r.Header.Get("Vary"))
	r, _ = s.send("POST", "/api/sse", body, service, isJSON, foreign, "Sec-Fetch-Site: cross-site")
	require.Equal(t, 403, r.StatusCode)
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
	r, _ = s.send("GET", "/api/session", "", foreign)
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), "the browser keeps the answer from a foreign page")
	r, _ = s.send("GET", "/any/page", "", ours)
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), "the app itself is for its own origin")
}

func TestCheckOriginRefusesPathsAndOtherSchemes(t *testing.T) {
	for _, good := range []string{"https://rental.example", "http://localhost:3000"} {
		require.NoError(t, CheckOrigin(good))
	}
	for _, bad := range []string{"", "*", "null", "rental.example", "https://rental.example/", "https://a@b", "ftp://x",
		"https://"} {
		require.Error(t, CheckOrigin(bad), bad)
	}
}

// Monitoring scripts add headers to each request of a page. Such a page may embed the
// public status, whatever its origin.
func TestAnyPageMayEmbedTheStatus(t *testing.T) {
	s := newTestBroker(t)
	for _, path := range []string{"/embed/v1/status.json", "/embed/v1/status.events", "/embed/v1/status.svg"} {
		r, _ := s.send("OPTIONS", path, "", "Origin: https://anywhere.example",
			"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: traceparent, x-mine")
		require.Equal(t, 204, r.StatusCode, path)
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"), path)
		require.Equal(t, "GET, HEAD", r.Header.Get("Access-Control-Allow-Methods"), path)
		require.Equal(t, "traceparent, x-mine", r.Header.Get("Access-Control-Allow-Headers"), path)
		require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"), path)
	}
}
