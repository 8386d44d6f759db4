package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
)

// A limitedLog stores a number of entries and then fails.
type limitedLog struct {
	eventlog.Log
	left *atomic.Int64
}

func (l limitedLog) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	if l.left.Add(-1) < 0 {
		return eventlog.Ack{}, fmt.Errorf("%w: full", eventlog.ErrUnavailable)
	}
	return l.Log.Append(ctx, e)
}

func (l limitedLog) AppendBatch(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	return eventlog.AppendInTurn(ctx, l.Append, entries)
}

// progress returns an event sync_progress.
func progress(id string, n int) string {
	return fmt.Sprintf(`{"type":"sync_progress","id":%q,"data":{"sync_id":"s","progress":%d}}`, id, n)
}

const isBatch = "Content-Type: application/cloudevents-batch+json"

func TestBatchIsStoredWholeOrReportsWhatWasStored(t *testing.T) {
	left := &atomic.Int64{}
	left.Store(1 << 30)
	s := newTestBrokerWith(t, limitedLog{memlog.New("k", time.Hour), left}, nil)
	service, yard := s.bearer(access.Service), s.bearer(access.Yard)
	last := func() uint64 {
		b, err := s.log.Bounds(t.Context())
		require.NoError(t, err)
		return b.Last
	}
	batch := "[" + progress("a", 1) + "," + progress("b", 2) + "," + progress("c", 3) + "]"
	var answer struct{ Events []hub.Receipt }
	r, text := s.send("POST", "/api/sse", batch, service, isBatch)
	require.Equal(t, 201, r.StatusCode, text)
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	for i, receipt := range answer.Events {
		require.Equal(t, fmt.Sprintf("k-%d", i+1), receipt.Cursor.String())
		require.Equal(t, string(rune('a'+i)), receipt.ID)
	}
	r, text = s.send("POST", "/api/sse", batch, service, isBatch)
	require.Equal(t, 200, r.StatusCode, "all of it was there: "+text)

	// If one event is not valid, not allowed or of another owner, the log stores none.
	for bad, want := range map[string]string{
		`{"type":"sync_progress","data":{"progress":101,"x":1}}`: `"pointer":"/1/data/progress"`,
		`{"type":"nope","data":{}}`:                              `"pointer":"/1/type"`,
		`7`:                                                      `"pointer":"/1"`,
		`{"type":"sync_progress","data":{"sync_id":"s","progress":1,"started_by":9}}`: `"owner_changed"`,
	} {
		r, text = s.send("POST", "/api/sse", "["+progress("d", 4)+","+bad+"]", service, isBatch)
		require.GreaterOrEqual(t, r.StatusCode, 400)
		require.Contains(t, text, want)
		require.EqualValues(t, 3, last())
	}
	mixed := `[{"type":"maintenance_required","data":{"equipment_name":"A","issue":"B"}},` + progress("d", 4) + "]"
	r, _ = s.send("POST", "/api/sse", mixed, yard, isBatch)
	require.Equal(t, 403, r.StatusCode)
	require.EqualValues(t, 3, last())
	for _, wrong := range []string{"[]", "{}", "[" + strings.Repeat("{},", 1000) + "{}]"} {
		r, _ = s.send("POST", "/api/sse", wrong, service, isBatch)
		require.Equal(t, 422, r.StatusCode, wrong[:2])
	}
	r, _ = s.send("POST", "/api/sse", `["`+strings.Repeat("x", 1<<20)+`"]`, service, isBatch)
	require.Equal(t, 413, r.StatusCode)
	r, _ = s.send("POST", "/api/sse", batch, service, isBatch, "Idempotency-Key: k")
	require.Equal(t, 400, r.StatusCode)

	// The log fails in the middle of a batch. The answer has the receipts of the stored part,
	// and the same batch, sent again, stores the rest.
	batch = "[" + progress("e", 5) + "," + progress("f", 6) + "," + progress("g", 7) + "]"
	left.Store(2)
	var broken Problem
	r, text = s.send("POST", "/api/sse", batch, service, isBatch)
	require.Equal(t, 503, r.StatusCode)
	require.Equal(t, "5", r.Header.Get("Retry-After"))
	require.NoError(t, json.Unmarshal([]byte(text), &broken))
	require.Len(t, broken.Stored, 2)
	require.Equal(t, "f", broken.Stored[1].ID)
	left.Store(1 << 30)
	r, text = s.send("POST", "/api/sse", batch, service, isBatch)
	require.Equal(t, 201, r.StatusCode)
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	require.True(t, answer.Events[0].Duplicate && answer.Events[1].Duplicate && !answer.Events[2].Duplicate)
	require.EqualValues(t, 6, last())
}

func TestBinaryCloudEventIsStored(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	headers := []string{service, isJSON, "ce-specversion: 1.0", "ce-type: rental_status_updated",
		"ce-id: Stra%C3%9Fe 7", "ce-source: /erp/rentals", "ce-time: 2026-11-23T10:00:00+01:00"}
	r, text := s.send("POST", "/api/sse", `{"rental_id":5,"status":"active"}`, headers...)
	require.Equal(t, 201, r.StatusCode, text)
	require.Contains(t, text, `"id":"Straße 7"`)
	page, err := s.log.Read(t.Context(), 0, 1, eventlog.Selection{})
	require.NoError(t, err)
	require.Contains(t, string(page.Records[0].Body),
		`"source":"/erp/rentals","subject":"rental/5","time":"2026-11-23T09:00:00Z"`)
	for body, pointer := range map[string]string{
		`{`:                                 "/data",
		`[1]`:                               "/data",
		`{"rental_id":0,"status":"active"}`: "/data/rental_id",
		`{"rental_id":1,"rental_id":1,"status":"active"}`: "/data/rental_id",
	} {
		r, text = s.send("POST", "/api/sse", body, headers...)
		require.Equal(t, 422, r.StatusCode)
		require.Contains(t, text, `"pointer":"`+pointer+`"`, body)
	}
	r, text = s.send("POST", "/api/sse", `{"rental_id":5,"status":"active"}`, append(headers, "ce-time: now")...)
	require.Equal(t, 422, r.StatusCode)
	require.Contains(t, text, `"pointer":"/time"`)
}

func TestIdempotencyKeyBecomesTheID(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	body := `{"type":"sync_progress","data":{"progress":1}}`
	r, text := s.send("POST", "/api/sse", body, service, isJSON, "Idempotency-Key: order-7")
	require.Equal(t, 201, r.StatusCode)
	require.Contains(t, text, `"id":"order-7"`)
	r, text = s.send("POST", "/api/sse", body, service, isJSON, `Idempotency-Key: "order-7"`) // quoted, as in the draft
	require.Equal(t, 200, r.StatusCode, text)
	r, text = s.send("POST", "/api/sse", body, service, isJSON, "Ce-Id: stray")
	require.Equal(t, 422, r.StatusCode, "a header that would be ignored: %s", text)
	require.Contains(t, text, "Ce-Specversion")
	r, text = s.send("POST", "/api/sse", body, service, isJSON, "Idempotency-Key: order-7")
	require.Equal(t, 200, r.StatusCode)
	require.Contains(t, text, `"duplicate":true`)
	r, _ = s.send("POST", "/api/sse", `{"type":"sync_progress","data":{"progress":2}}`, service, isJSON,
		"Idempotency-Key: order-7")
	require.Equal(t, 409, r.StatusCode)
	r, text = s.send("POST", "/api/sse", progress("other", 1), service, isJSON, "Idempotency-Key: order-7")
	require.Equal(t, 422, r.StatusCode)
	require.Contains(t, text, `"pointer":"/id"`)
	r, _ = s.send("POST", "/api/sse", `{`, service, isJSON, "Idempotency-Key: order-8")
	require.Equal(t, 422, r.StatusCode)
}

// The broker must not store the events that one user wrote as those of another.
func TestIfGrantRefusesEventsOfAnotherUser(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	_, text := s.send("GET", "/api/session", "", service)
	var session struct{ Grant string }
	require.NoError(t, json.Unmarshal([]byte(text), &session))
	r, text := s.send("POST", "/api/sse", progress("a", 1), service, isJSON, "If-Grant: "+session.Grant)
	require.Equal(t, 201, r.StatusCode, text)
	for _, body := range []string{progress("b", 1), `[` + progress("c", 1) + `]`} {
		media := map[bool]string{true: isBatch, false: isJSON}[body[0] == '[']
		r, text = s.send("POST", "/api/sse", body, service, media, "If-Grant: somebody-else")
		require.Equal(t, 409, r.StatusCode, text)
		require.Contains(t, text, `"code":"regranted"`)
	}
	bounds, err := s.log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, bounds.Last)
}
