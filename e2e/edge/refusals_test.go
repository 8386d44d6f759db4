package edge

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
)

// Each tenant has a log of its own, and a token of one tenant has no rights at another.
func TestTenantsOfTheEdgeAreSeparate(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	// What everybody may have is there without anybody having asked for more.
	status, answer := testkit.Send(t, s.URL, "GET", "/embed/v1/status.json", "", "Yardline-Tenant: acme")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, `"state":"live"`)
	acme, other := s.APIWithToken(
		s.CreateTokenIn("acme", "erp", 0, access.Service, access.Manager),
	), s.APIWithToken(
		s.CreateTokenIn("other", "erp", 0, access.Service, access.Manager),
	)
	body := json.RawMessage(`{"type":"rental_overdue","id":"mine","data":{"rental_id":1,"days_overdue":1}}`)
	for _, api := range []wasmclient.API{acme, other} { // the same id, and no duplicate
		receipt, err := api.PublishJSON(t.Context(), body)
		require.NoError(t, err)
		require.False(t, receipt.Duplicate)
		require.EqualValues(t, 1, receipt.Cursor.Seq)
	}
	mine := testkit.ReadPage(t, s.URL, s.CreateTokenIn("acme", "4", 0, access.Manager), "after=oldest")
	theirs := testkit.ReadPage(t, s.URL, s.CreateTokenIn("other", "4", 0, access.Manager), "after=oldest")
	require.Len(t, mine.Events, 1)
	require.NotEqual(t, mine.Head.Epoch, theirs.Head.Epoch)
	for _, token := range []string{s.CreateTokenIn("", "4", 0, access.Manager), "no.token.here"} {
		status, answer := testkit.Send(
			t,
			s.URL,
			"GET",
			"/api/events",
			"",
			"Authorization: Bearer "+token,
			"Yardline-Principal: {}",
		)
		require.Equal(t, http.StatusUnauthorized, status)
		require.Contains(t, answer, "invalid_token")
	}
	// What only the front may say is no way in.
	forged := identity.EncodeForwardedIdentity(
		identity.Principal{
			Grant:   access.Grant{User: "1", Roles: []access.Role{access.Manager}, Tenant: "acme"},
			Expires: time.Now().Add(time.Hour),
		},
	)
	status, answer = testkit.Send(t, s.URL, "GET", "/api/events", "", identity.ForwardedIdentityHeader+": "+forged)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, answer, "sign_in_required")
}

// Broker, edge and gate refuse the same requests with the same documents, byte for byte.
func TestEdgeRefusesWithTheBrokersDocuments(t *testing.T) {
	broker, edge := stack.Start(t), stack.StartEdge(t)
	gate := stack.StartGate(t, broker)
	const asJSON = "Content-Type: application/json"
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		roles              []access.Role // nil: nobody
		status             int
	}{
		"nobody reads":       {"GET", "/api/sse", "", nil, nil, 401},
		"nobody publishes":   {"POST", "/api/sse", "{", []string{asJSON}, nil, 401},
		"a broken token":     {"GET", "/api/snapshot", "", []string{"Authorization: Bearer x.y.z"}, nil, 401},
		"another scheme":     {"GET", "/api/snapshot", "", []string{"Authorization: Basic x"}, nil, 401},
		"not for this role":  {"POST", "/api/sse", `{"type":"payroll_processed","data":{"period":"2026-11"}}`, []string{asJSON}, []access.Role{access.Yard}, 403},
		"another site":       {"POST", "/api/sse", "{}", []string{asJSON, "Origin: https://evil.example"}, []access.Role{access.Manager}, 403},
		"for admins":         {"GET", "/api/stats", "", nil, []access.Role{access.Manager}, 403},
		"no event":           {"POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":0}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"no type":            {"POST", "/api/sse", `{"type":"nothing","data":{}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"no JSON":            {"POST", "/api/sse", `{"type":`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"unknown and strict": {"POST", "/api/sse?strict=true", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`, []string{asJSON}, []access.Role{access.Manager}, 422},
		"a batch":            {"POST", "/api/sse", `[{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}},{"type":"rental_overdue","data":{}}]`, []string{"Content-Type: application/cloudevents-batch+json"}, []access.Role{access.Manager}, 422},
		"a binary one":       {"POST", "/api/sse", `{"rental_id":1}`, []string{asJSON, "ce-specversion: 1.0", "ce-type: rental_overdue", "ce-id: a, b", "ce-source: /x"}, []access.Role{access.Manager}, 422},
		"no media type":      {"POST", "/api/sse", `x`, []string{"Content-Type: text/plain"}, []access.Role{access.Manager}, 415},
		"too large":          {"POST", "/api/sse", strings.Repeat(" ", 30<<10), []string{asJSON}, []access.Role{access.Manager}, 413},
		"no such filter":     {"GET", "/api/events?types=nothing", "", nil, []access.Role{access.Manager}, 400},
		"no such parameter":  {"GET", "/api/sse?type=x", "", nil, []access.Role{access.Manager}, 400},
		"no such cursor":     {"GET", "/api/sse", "", []string{"Last-Event-ID: x"}, []access.Role{access.Manager}, 400},
		"no WebSocket":       {"GET", "/api/ws", "", nil, []access.Role{access.Manager}, 426},
		"nothing there":      {"GET", "/api/nothing", "", nil, []access.Role{access.Manager}, 404},
		"another method":     {"DELETE", "/api/sse", "", nil, []access.Role{access.Manager}, 405},
		"another grant":      {"POST", "/api/sse", `{}`, []string{asJSON, "If-Grant: x"}, []access.Role{access.Manager}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(s *stack.Stack) string {
				headers := c.headers
				if c.roles != nil {
					headers = append(slices.Clone(headers), "Authorization: Bearer "+s.TokenFor("9", 0, c.roles...))
				}
				status, answer := testkit.Send(t, s.URL, c.method, c.path, c.body, headers...)
				require.Equal(t, c.status, status, answer)
				return answer
			}
			want := ask(broker)
			require.Equal(t, want, ask(edge), "edge")
			require.Equal(t, want, ask(gate), "gate")
		})
	}
}
