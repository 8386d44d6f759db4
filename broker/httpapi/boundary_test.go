package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// refusal returns the code and the pointers of a problem document.
func refusal(t *testing.T, body string) (code string, pointers []string) {
	t.Helper()
	var p Problem
	require.NoError(t, json.Unmarshal([]byte(body), &p), body)
	require.Empty(t, p.Stored, body)
	for _, f := range p.Errors {
		require.NotEmpty(t, f.Expected)
		pointers = append(pointers, f.Pointer)
	}
	return p.Code, pointers
}

// asUTF16 returns s in UTF-16, as editors of Windows save a text as "Unicode".
func asUTF16(s string) string {
	var b strings.Builder
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(s))...) {
		b.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	return b.String()
}

// The broker accepts a body of JSON that begins with the byte order mark of UTF-8. It
// refuses a body in UTF-16, and names the encoding.
func TestBodiesMayBeginWithAByteOrderMarkButNotBeUTF16(t *testing.T) {
	const mark = "\ufeff"
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	event := `{"type":"sync_progress","data":{"progress":1}}`
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"short":      {event, []string{isJSON}},
		"keyed":      {event, []string{isJSON, "Idempotency-Key: a"}},
		"structured": {event, []string{"Content-Type: application/cloudevents+json"}},
		"binary": {`{"progress":1}`, []string{isJSON, "Ce-Specversion: 1.0", "Ce-Type: sync_progress", "Ce-Id: b",
			"Ce-Source: /x"}},
		"batch": {"[" + event + "]", []string{isBatch}},
	} {
		r, body := s.send("POST", "/api/sse", mark+c.body, append(c.headers, service)...)
		require.Equal(t, 201, r.StatusCode, "%s: %s", name, body)
		r, body = s.send("POST", "/api/sse", asUTF16(c.body), append(c.headers, service)...)
		require.Equal(t, 422, r.StatusCode, name)
		require.Contains(t, body, "not in UTF-16", name)
	}
	socket := s.socket("/api/ws", service)
	socket.sendText(mark + `{"call":"publish","ref":"1","event":` + event + `}`)
	require.Equal(t, "published", socket.reply(t).Name)
	r, body := s.send("POST", "/api/session", mark+`{"user":"manager"}`)
	require.Equal(t, 200, r.StatusCode, body)
	r, body = s.send("PUT", "/api/push/preferences", mark+`{"muted":[],"push":[]}`)
	require.Equal(t, 200, r.StatusCode, body)
}

// reply returns the next answer to a call.
func (c *client) reply(t *testing.T) *wire.Reply {
	t.Helper()
	for {
		f, err := c.next()
		require.NoError(t, err)
		if r, is := f.(*wire.Reply); is {
			return r
		}
	}
}

// The broker refuses control characters in each place that an id or a source can come
// from.
func TestControlCharactersInIDsAreRefused(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	event := func(id string) string {
		return fmt.Sprintf(`{"type":"sync_progress","id":"%s","data":{"progress":1}}`, id)
	}
	for name, c := range map[string]struct {
		body    string
		headers []string
		pointer string
	}{
		"body":  {event(`a\u0000b`), []string{isJSON}, "/id"},
		"batch": {"[" + event("a") + "," + event(`a\nb`) + "]", []string{isBatch}, "/1/id"},
		"Idempotency-Key": {`{"type":"sync_progress","data":{"progress":1}}`, []string{isJSON, "Idempotency-Key: a\tb"},
			"/id"},
		"a quoted one": {`{"type":"sync_progress","data":{"progress":1}}`,
			[]string{isJSON, "Idempotency-Key: \"a\u0085b\""}, "/id"},
		"ce-id": {`{"progress":1}`, []string{isJSON, "Ce-Specversion: 1.0", "Ce-Type: sync_progress",
			"Ce-Id: a%0Ab", "Ce-Source: /x"}, "/id"},
		"ce-source": {`{"progress":1}`, []string{isJSON, "Ce-Specversion: 1.0", "Ce-Type: sync_progress",
			"Ce-Id: a", "Ce-Source: /x%00"}, "/source"},
		"ce-time": {`{"progress":1}`, []string{isJSON, "Ce-Specversion: 1.0", "Ce-Type: sync_progress",
			"Ce-Id: a", "Ce-Source: /x", "Ce-Time: 2046-01-01T00:00:00Z"}, "/time"},
	} {
		r, body := s.send("POST", "/api/sse", c.body, append(c.headers, service)...)
		require.Equal(t, 422, r.StatusCode, "%s: %s", name, body)
		_, pointers := refusal(t, body)
		require.Equal(t, c.pointer, pointers[0], name)
	}
	r, body := s.send("GET", "/api/sse?subjects=equipment/a%0Ab", "", service)
	require.Equal(t, 400, r.StatusCode, body)
}

// The refusal of a batch points to the events that conflict with stored ones or with
// each other. Nothing of the batch is stored.
func TestBatchConflictPointsToItsEventAndStoresNothing(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	pay := func(id string, amount int) string {
		return fmt.Sprintf(`{"id":%q,"type":"payment_received",`+
			`"data":{"rental_id":1,"amount":%d,"payment_method":"cash"}}`, id, amount)
	}
	r, body := s.send("POST", "/api/sse", pay("x1", 1), service, isJSON)
	require.Equal(t, 201, r.StatusCode, body)
	for _, c := range []struct {
		batch    []string
		code     string
		pointers []string
	}{
		{[]string{pay("e1", 5), pay("x1", 2), pay("e3", 7)}, "id_conflict", []string{"/1/id"}},
		{[]string{pay("f1", 1), pay("f2", 1), pay("f1", 2), pay("f3", 1)}, "id_conflict", []string{"/2/id"}},
		{[]string{pay("f1", 1), `{"type":"timesheet_updated","data":{"timesheet_id":1,"employee_id":1,` +
			`"status":"draft","date":"2026-11-23"}}`,
			`{"type":"timesheet_updated","data":{"timesheet_id":1,"employee_id":2,"status":"draft",` +
				`"date":"2026-11-23"}}`}, "owner_changed", []string{"/2/data/employee_id"}},
	} {
		for range 2 {
			r, body = s.send("POST", "/api/sse", "["+strings.Join(c.batch, ",")+"]", service, isBatch)
			require.Equal(t, 409, r.StatusCode, body)
			code, pointers := refusal(t, body)
			require.Equal(t, c.code, code)
			require.Equal(t, c.pointers, pointers)
			b, err := s.log.Bounds(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, b.Last)
		}
	}
	socket := s.socket("/api/ws", service)
	socket.sendText(`{"call":"publish","ref":"1","event":` + pay("x1", 2) + `}`)
	answer := socket.reply(t)
	require.Equal(t, "refused", answer.Name)
	code, pointers := refusal(t, string(answer.Data))
	require.Equal(t, "id_conflict /id", code+" "+pointers[0])
}

// An amount without a currency has the decimals of the installation's currency. Sums of
// amounts are exact.
func TestAmountsHaveTheDecimalsOfTheirCurrency(t *testing.T) {
	s := newTestBroker(t)
	service, manager := s.bearer(access.Service),
		s.bearer(access.Manager)
	for amount, status := range map[string]int{`10.125`: 422, `10.125,"currency":"KWD"`: 201,
		`10.5,"currency":"JPY"`: 422, `0.1`: 201, `0.2`: 201} {
		r, body := s.send("POST", "/api/sse",
			`{"type":"payment_received","data":{"rental_id":1,"payment_method":"cash","amount":`+amount+`}}`, service,
			isJSON)
		require.Equal(t, status, r.StatusCode, body)
		if status != 201 {
			_, pointers := refusal(t, body)
			require.Equal(t, "/data/amount", pointers[0])
		}
	}
	_, body := s.send("GET", "/api/snapshot", "", manager)
	var snapshot struct {
		Figures struct {
			Revenue map[string]event.Money `json:"revenue_today"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &snapshot))
	require.Equal(t, map[string]event.Money{"EUR": 300, "KWD": 10_125}, snapshot.Figures.Revenue)
}
