package edge

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
)

// asBatch is the header of a batch of events in JSON.
const asBatch = "Content-Type: application/cloudevents-batch+json"

// paymentEvent returns a CloudEvent with this id and amount, as JSON.
func paymentEvent(id, amount string) string {
	return `{"specversion":"1.0","source":"/erp","id":"` + id + `","type":"payment_received",` +
		`"data":{"rental_id":1,"amount":` + amount + `,"payment_method":"cash"}}`
}

// overdueEvent is valid. futureEvent is not, because its time lies too far in the future.
const (
	overdueEvent = `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`

	futureEvent = `{"specversion":"1.0","source":"/erp","id":"f1","time":"2046-01-01T00:00:00Z",` +
		`"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`
)

// inputs are requests that the broker, the edge and a gate answer alike. They are sent after an event with the id x1.
var inputs = map[string]struct {
	method, path, body string
	headers            []string
	status             int
	answer             string // a part of the answer
}{
	"a semicolon in the query": {
		method: "GET",
		path:   "/api/sse?types=payment_received;severity=error",
		status: 400,
		answer: "invalid_parameter",
	},
	"a broken escape": {
		method: "GET",
		path:   "/api/events?subjects=rental/100%",
		status: 400,
		answer: "invalid_parameter",
	},
	"lastEventId in a query": {
		method: "GET",
		path:   "/api/events?limit=1&lastEventId=oldest",
		status: 200,
		answer: `"events"`,
	},
	"a time in the future": {
		method:  "POST",
		path:    "/api/sse",
		body:    futureEvent,
		headers: []string{"Content-Type: application/cloudevents+json"},
		status:  422,
		answer:  "/time",
	},
	"a byte order mark": {
		method:  "POST",
		path:    "/api/sse",
		body:    "\xef\xbb\xbf" + overdueEvent,
		headers: []string{asJSON},
		status:  201,
		answer:  `"id"`,
	},
	"a batch with the id of a stored event": {
		method:  "POST",
		path:    "/api/sse",
		body:    "[" + paymentEvent("b1", "5") + "," + paymentEvent("x1", "2") + "]",
		headers: []string{asBatch},
		status:  409,
		answer:  "/1/id",
	},
	"a batch with one id twice": {
		method:  "POST",
		path:    "/api/sse",
		body:    "[" + paymentEvent("c1", "5") + "," + paymentEvent("c1", "2") + "]",
		headers: []string{asBatch},
		status:  409,
		answer:  "/1/id",
	},
	"a control character in an id": {
		method:  "POST",
		path:    "/api/sse",
		body:    "[" + paymentEvent(`d\u0007`, "5") + "]",
		headers: []string{asBatch},
		status:  422,
		answer:  "/0/id",
	},
}

// The edge and a gate accept and refuse the same input as the broker does. They store nothing that they refuse.
func TestEdgeAndBrokerAcceptTheSameInput(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	for name, s := range map[string]*stack.Stack{"edge": stack.StartEdge(t), "gate": stack.StartGate(t, broker)} {
		t.Run(name, func(t *testing.T) {
			token := "Authorization: Bearer " + s.Token
			status, _ := testkit.Send(t, s.URL, "POST", "/api/sse", paymentEvent("x1", "1"), token,
				"Content-Type: application/cloudevents+json")
			require.Equal(t, http.StatusCreated, status)
			for name, c := range inputs {
				headers := append(slices.Clone(c.headers), token)
				status, answer := testkit.Send(t, s.URL, c.method, c.path, c.body, headers...)
				require.Equal(t, c.status, status, "%s: %s", name, answer)
				require.Contains(t, answer, c.answer, name)
			}
			for _, e := range testkit.ReadPage(t, s.URL, s.TokenFor("4", 0, access.Manager),
				"after=oldest&types=payment_received").Events {
				require.Equal(t, "x1", e.ID)
			}
			answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse", s.Token)
			defer answer.Body.Close()
			require.Equal(t, "no-store, no-transform", answer.Header.Get("Cache-Control"))
			requirePreflightAllowsTraces(t, s)
		})
	}
}

// requirePreflightAllowsTraces asks whether a page of another site may send the header traceparent. The answer must
// allow it.
func requirePreflightAllowsTraces(t *testing.T, s *stack.Stack) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "OPTIONS", s.URL+"/embed/v1/status.json", nil)
	require.NoError(t, err)
	r.Header.Set("Origin", "https://host.example")
	r.Header.Set("Access-Control-Request-Method", "GET")
	r.Header.Set("Access-Control-Request-Headers", "traceparent")
	preflight, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	preflight.Body.Close()
	require.Equal(t, http.StatusNoContent, preflight.StatusCode)
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), "traceparent")
}

// The edge refuses a location with a time in the future. Otherwise a tracker with a wrong clock would hide all later
// locations of its machine.
func TestEdgeRefusesALocationOfTheFuture(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	recordedAt := time.Now().AddDate(20, 0, 0).UTC().Format(time.RFC3339)
	location := `{"type":"equipment_location_updated",` +
		`"data":{"equipment_id":7,"latitude":50,"longitude":8,"recorded_at":"` + recordedAt + `"}}`
	status, answer := testkit.Send(t, s.URL, "POST", "/api/sse", location, "Authorization: Bearer "+s.Token, asJSON)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, answer, "/data/recorded_at")
}
