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
	// A tenant has a public status before its first request.
	status, answer := testkit.Send(t, s.URL, "GET", "/embed/v1/status.json", "", "Yardline-Tenant: acme")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, `"state":"live"`)
	acme := s.APIWithToken(s.CreateTokenIn("acme", "erp", 0, access.Service, access.Manager))
	other := s.APIWithToken(s.CreateTokenIn("other", "erp", 0, access.Service, access.Manager))
	body := json.RawMessage(`{"type":"rental_overdue","id":"mine","data":{"rental_id":1,"days_overdue":1}}`)
	for _, api := range []wasmclient.API{acme, other} { // Both logs store an event with the same id.
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
		status, answer := testkit.Send(t, s.URL, "GET", "/api/events", "",
			"Authorization: Bearer "+token, "Yardline-Principal: {}")
		require.Equal(t, http.StatusUnauthorized, status)
		require.Contains(t, answer, "invalid_token")
	}
	// The edge ignores an identity that a client sends in the header of the front, because only the front may set it.
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

// asJSON is the header of a body in JSON.
const asJSON = "Content-Type: application/json"

// The roles of the users that send refusedRequests.
var (
	yardRole    = []access.Role{access.Yard}
	managerRole = []access.Role{access.Manager}
)

// A refusedRequest is a request that an installation refuses with a status.
type refusedRequest struct {
	method, path, body string
	headers            []string
	roles              []access.Role // the roles of the user; nil means that no user is signed in
	status             int
}

// refusedRequests are the cases of TestEdgeRefusesWithTheBrokersDocuments.
var refusedRequests = map[string]refusedRequest{
	"stream without a token": {
		method: "GET",
		path:   "/api/sse",
		status: 401,
	},
	"event without a token": {
		method:  "POST",
		path:    "/api/sse",
		body:    "{",
		headers: []string{asJSON},
		status:  401,
	},
	"malformed token": {
		method:  "GET",
		path:    "/api/snapshot",
		headers: []string{"Authorization: Bearer x.y.z"},
		status:  401,
	},
	"unsupported authorization scheme": {
		method:  "GET",
		path:    "/api/snapshot",
		headers: []string{"Authorization: Basic x"},
		status:  401,
	},
	"event type that the role may not publish": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{"type":"payroll_processed","data":{"period":"2026-11"}}`,
		headers: []string{asJSON},
		roles:   yardRole,
		status:  403,
	},
	"request from another site": {
		method:  "POST",
		path:    "/api/sse",
		body:    "{}",
		headers: []string{asJSON, "Origin: https://evil.example"},
		roles:   managerRole,
		status:  403,
	},
	"path for admins alone": {
		method: "GET",
		path:   "/api/stats",
		roles:  managerRole,
		status: 403,
	},
	"invalid data of an event": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{"type":"rental_overdue","data":{"rental_id":0}}`,
		headers: []string{asJSON},
		roles:   managerRole,
		status:  422,
	},
	"unknown event type": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{"type":"nothing","data":{}}`,
		headers: []string{asJSON},
		roles:   managerRole,
		status:  422,
	},
	"malformed JSON": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{"type":`,
		headers: []string{asJSON},
		roles:   managerRole,
		status:  422,
	},
	"unknown field in strict mode": {
		method:  "POST",
		path:    "/api/sse?strict=true",
		body:    `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`,
		headers: []string{asJSON},
		roles:   managerRole,
		status:  422,
	},
	"batch with an invalid event": {
		method: "POST",
		path:   "/api/sse",
		body: `[{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}},` +
			`{"type":"rental_overdue","data":{}}]`,
		headers: []string{"Content-Type: application/cloudevents-batch+json"},
		roles:   managerRole,
		status:  422,
	},
	"invalid event in binary mode": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{"rental_id":1}`,
		headers: []string{asJSON, "ce-specversion: 1.0", "ce-type: rental_overdue", "ce-id: a, b", "ce-source: /x"},
		roles:   managerRole,
		status:  422,
	},
	"unsupported media type": {
		method:  "POST",
		path:    "/api/sse",
		body:    `x`,
		headers: []string{"Content-Type: text/plain"},
		roles:   managerRole,
		status:  415,
	},
	"body that is too large": {
		method:  "POST",
		path:    "/api/sse",
		body:    strings.Repeat(" ", 30<<10),
		headers: []string{asJSON},
		roles:   managerRole,
		status:  413,
	},
	"unknown type in a filter": {
		method: "GET",
		path:   "/api/events?types=nothing",
		roles:  managerRole,
		status: 400,
	},
	"unknown parameter": {
		method: "GET",
		path:   "/api/sse?type=x",
		roles:  managerRole,
		status: 400,
	},
	"malformed cursor": {
		method:  "GET",
		path:    "/api/sse",
		headers: []string{"Last-Event-ID: x"},
		roles:   managerRole,
		status:  400,
	},
	"WebSocket path without an upgrade": {
		method: "GET",
		path:   "/api/ws",
		roles:  managerRole,
		status: 426,
	},
	"unknown path": {
		method: "GET",
		path:   "/api/nothing",
		roles:  managerRole,
		status: 404,
	},
	"unsupported method": {
		method: "DELETE",
		path:   "/api/sse",
		roles:  managerRole,
		status: 405,
	},
	"If-Grant of another grant": {
		method:  "POST",
		path:    "/api/sse",
		body:    `{}`,
		headers: []string{asJSON, "If-Grant: x"},
		roles:   managerRole,
		status:  409,
	},
}

// Broker, edge and gate refuse the same requests with the same documents, byte for byte.
func TestEdgeRefusesWithTheBrokersDocuments(t *testing.T) {
	broker, edge := stack.Start(t), stack.StartEdge(t)
	gate := stack.StartGate(t, broker)
	for name, c := range refusedRequests {
		t.Run(name, func(t *testing.T) {
			send := func(s *stack.Stack) string {
				headers := c.headers
				if c.roles != nil {
					headers = append(slices.Clone(headers), "Authorization: Bearer "+s.TokenFor("9", 0, c.roles...))
				}
				status, answer := testkit.Send(t, s.URL, c.method, c.path, c.body, headers...)
				require.Equal(t, c.status, status, answer)
				return answer
			}
			want := send(broker)
			require.Equal(t, want, send(edge), "edge")
			require.Equal(t, want, send(gate), "gate")
		})
	}
}
