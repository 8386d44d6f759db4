package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// The OpenAPI description has every route of the API and no other.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	s := newTestBroker(t)
	_, text := s.send("GET", "/api/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	described := map[string]bool{}
	for path, methods := range doc.Paths {
		for method := range methods {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	served := map[string]bool{}
	for _, r := range s.api.routes {
		served[r.method+" "+r.path] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(described)))
}

// Answers of the API are valid by its own OpenAPI description.
func TestAnswersMatchTheOpenAPIDocument(t *testing.T) {
	s := newTestBroker(t)
	_, text := s.send("GET", "/api/openapi.json", "")
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("urn:openapi", doc))
	is := func(component, body string) {
		t.Helper()
		schema, err := c.Compile("urn:openapi#/components/schemas/" + component)
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(body)))
		require.NoError(t, err, body)
		require.NoError(t, schema.Validate(value), "%s: %s", component, body)
	}
	get := func(path string, headers ...string) string {
		_, body := s.send("GET", path, "", headers...)
		return body
	}
	service, manager, admin := s.bearer(access.Service), s.bearer(access.Manager), s.bearer(access.Admin)
	_, receipt := s.send("POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`,
		service, isJSON)
	is("Receipt", receipt)
	_, receipts := s.send("POST", "/api/sse", `[{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}]`,
		service, isBatch)
	is("Receipts", receipts)
	_, refused := s.send("POST", "/api/sse", `{}`, service, isJSON)
	is("Problem", refused)
	is("Page", get("/api/events", manager))
	is("Page", get("/api/events?after=other-1", manager))       // with a gap
	is("Page", get("/api/events?types=sync_progress", manager)) // empty
	is("Page", get("/api/events?before=k-1", manager))
	is("Snapshot", get("/api/snapshot", manager))
	is("Session", get("/api/session"))
	is("Session", get("/api/session", "Authorization: Bearer x")) // with a warning
	_, session := s.send("POST", "/api/session", `{"user":"employee"}`)
	is("Session", session)
	s.openStream(manager)
	is("Stats", get("/api/stats", admin))
	_, token := s.send("POST", "/api/tokens", `{"user":"erp","hours":24}`, admin, isJSON)
	is("Token", token)
	is("Status", get("/embed/v1/status.json"))
	is("PushKey", get("/api/push/key", manager))
	is("Preferences", get("/api/push/preferences", manager))
	is("Devices", get("/api/push/subscriptions", manager))
	for path, want := range map[string]string{
		"/api/asyncapi.json":                  `"asyncapi": "3.0.0"`,
		"/api/types.d.ts":                     "export interface",
		"/api/schema/rental_overdue":          `"days_overdue"`,
		"/api/schema/rental_overdue?for=read": `"cursor"`,
		"/api/schema/nope":                    "not_found",
		"/api/schema/rental_overdue?for=x":    "invalid_parameter",
	} {
		require.Contains(t, get(path), want, path)
	}
}

func TestMetricsCountConnectionsAndEvents(t *testing.T) {
	s := newTestBroker(t)
	service, manager, admin := s.bearer(access.Service), s.bearer(access.Manager), s.bearer(access.Admin)
	answer, _ := s.send("GET", "/metrics", "", manager)
	require.Equal(t, 403, answer.StatusCode)
	answer, _ = s.send("GET", "/metrics", "")
	require.Equal(t, 401, answer.StatusCode)
	s.openStream(manager)
	socket := s.socket("/api/ws?after=other-7", manager)
	waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Views == 2 }, 20*time.Second, time.Millisecond)
	s.send("POST", "/api/sse", `{"type":"rental_overdue","id":"1","data":{"rental_id":1,"days_overdue":1}}`, service,
		isJSON)
	s.send("POST", "/api/sse", `{"type":"rental_overdue","id":"1","data":{"rental_id":1,"days_overdue":1}}`, service,
		isJSON)
	s.send("POST", "/api/sse", `{"type":"made_up_name","data":{}}`, service, isJSON)
	s.send("POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`,
		s.bearer(access.Yard), isJSON)
	waittest.Eventually(t, func() bool {
		_, text := s.send("GET", "/metrics", "", admin)
		for _, line := range []string{
			`yardline_connections{role="manager",transport="sse"} 1`,
			`yardline_connections{role="manager",transport="websocket"} 1`,
			`yardline_published_total{result="stored",type="rental_overdue"} 1`,
			`yardline_published_total{result="duplicate",type="rental_overdue"} 1`,
			`yardline_published_total{result="invalid",type="unknown"} 1`,
			`yardline_published_total{result="forbidden",type="rental_overdue"} 1`,
			`yardline_gaps_total 1`,
			`yardline_log_healthy 1`,
			`yardline_log_newest_sequence 1`,
			`yardline_deliveries_total 2`,
			`yardline_events_total 1`,
			`yardline_delivery_seconds_count 2`,
			`yardline_replay_events_count 2`,
			`yardline_slow_closed_total{cause="lag"} 0`,
			`yardline_views 2`,
			`yardline_lag_bytes_max 0`,
			"yardline_connection_memory_bytes ",
			"go_goroutines ",
			"process_open_fds ",
		} {
			if !strings.Contains(text, line) {
				t.Logf("not yet: %s", line)
				return false
			}
		}
		require.NotContains(t, text, "made_up_name")
		return true
	}, 20*time.Second, 20*time.Millisecond)
	socket.drop()
}
