package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
)

// The front, an object and a gate refuse the input that the broker refuses, accept the input that it accepts, and store
// nothing that they refuse.
func TestEdgeAndBrokerAcceptTheSameInput(t *testing.T) {
	t.Parallel()
	broker := stack.Start(t)
	const overdue = `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`
	const batch = "Content-Type: application/cloudevents-batch+json"
	event := func(id, amount string) string {
		return `{"specversion":"1.0","source":"/erp","id":"` + id + `","type":"payment_received",` +
			`"data":{"rental_id":1,"amount":` + amount + `,"payment_method":"cash"}}`
	}
	for name, s := range map[string]*stack.Stack{"edge": stack.StartEdge(t), "gate": stack.StartGate(t, broker)} {
		t.Run(name, func(t *testing.T) {
			token := "Authorization: Bearer " + s.Token
			status, _ := testkit.Send(
				t,
				s.URL,
				"POST",
				"/api/sse",
				event("x1", "1"),
				token,
				"Content-Type: application/cloudevents+json",
			)
			require.Equal(t, http.StatusCreated, status)
			for what, c := range map[string]struct {
				method, path, body string
				headers            []string
				status             int
				says               string
			}{
				"a semicolon in the query": {"GET", "/api/sse?types=payment_received;severity=error", "", nil, 400,
					"invalid_parameter"},
				"a broken escape": {"GET", "/api/events?subjects=rental/100%", "", nil, 400,
					"invalid_parameter"},
				"both cursors": {"GET", "/api/events?limit=1&lastEventId=oldest", "", nil, 200, `"events"`},
				"a time of the future": {"POST", "/api/sse", strings.Replace(overdue, "{",
					`{"specversion":"1.0","source":"/erp","id":"f1","time":"2046-01-01T00:00:00Z",`, 1),
					[]string{"Content-Type: application/cloudevents+json"}, 422, "/time"},
				"a byte order mark": {"POST", "/api/sse", "\xef\xbb\xbf" + overdue,
					[]string{"Content-Type: application/json"}, 201, `"id"`},
				"an id that is taken, in a batch": {"POST", "/api/sse", "[" + event("b1", "5") + "," + event("x1",
					"2") + "]",
					[]string{batch}, 409, "/1/id"},
				"one id twice in a batch": {"POST", "/api/sse", "[" + event("c1", "5") + "," + event("c1", "2") + "]",
					[]string{batch}, 409, "/1/id"},
				"a control character": {"POST", "/api/sse", "[" + event(`d\u0007`, "5") + "]", []string{batch}, 422,
					"/0/id"},
			} {
				status, answer := testkit.Send(t, s.URL, c.method, c.path, c.body, append(c.headers, token)...)
				require.Equal(t, c.status, status, "%s: %s", what, answer)
				require.Contains(t, answer, c.says, what)
			}
			for _, e := range testkit.ReadPage(t, s.URL, s.TokenFor("4", 0, access.Manager),
				"after=oldest&types=payment_received").Events {
				require.Equal(t, "x1", e.ID)
			}
			answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse", s.Token)
			defer answer.Body.Close()
			require.Equal(t, "no-store, no-transform", answer.Header.Get("Cache-Control"))
			// A page of another site may trace its requests.
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
		})
	}
}

// A tracker with a wrong clock cannot pin a machine to its place.
func TestEdgeRefusesALocationOfTheFuture(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	location := `{"type":"equipment_location_updated","data":{"equipment_id":7,"latitude":50,"longitude":8,` +
		`"recorded_at":"` +
		time.Now().
			AddDate(20, 0, 0).
			UTC().
			Format(time.RFC3339) +
		`"}}`
	status, answer := testkit.Send(
		t,
		s.URL,
		"POST",
		"/api/sse",
		location,
		"Authorization: Bearer "+s.Token,
		"Content-Type: application/json",
	)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, answer, "/data/recorded_at")
}
