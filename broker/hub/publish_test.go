package hub

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

func TestPublishStoresOnceAndRefusesWithoutTrace(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	erp := grant(t, "erp", 0, access.Service)
	send := func(g access.Grant, body string) (Receipt, error) {
		return h.Publish(t.Context(), g, []byte(body), PublishOptions{})
	}
	body := `{"type":"sync_progress","id":"a","data":{"sync_id":"s","progress":5,"started_by":7}}`

	first, err := send(erp, body)
	require.NoError(t, err)
	repeated, err := send(erp, body)
	require.NoError(t, err)
	require.Equal(t, Receipt{ID: "a", Cursor: first.Cursor, Duplicate: true}, repeated)
	_, err = send(erp, strings.Replace(body, "5", "6", 1))
	require.ErrorIs(t, err, eventlog.ErrConflict)
	other, err := send(grant(t, "crm", 0, access.Service), body)
	require.NoError(t, err)
	require.False(t, other.Duplicate, "ids of different publishers do not conflict")

	// The user who started the sync stays its owner.
	receipt, err := send(erp, `{"type":"sync_progress","data":{"sync_id":"s","progress":9,"colour":"red"}}`)
	require.NoError(t, err)
	require.Len(t, receipt.Warnings, 1)
	require.Len(t, receipt.ID, 36)
	r := subscribe(t, h, Request{Grant: grant(t, "7", 0), After: &other.Cursor})
	defer r.Leave()
	r.next()
	e := r.next().(*wire.Event).Event
	require.Equal(t, "7", e.Data.Text("started_by"))
	require.Equal(t, "service:erp", e.Actor)
	_, err = send(erp, `{"type":"sync_progress","data":{"sync_id":"s","progress":9,"started_by":8}}`)
	require.ErrorIs(t, err, ErrOwner)

	head := h.head()
	var problem *event.Problem
	_, err = send(erp, `{"type":"sync_progress","data":{"progress":900}}`)
	require.ErrorAs(t, err, &problem)
	_, err = send(grant(t, "7", 0, access.Yard), body)
	require.ErrorIs(t, err, ErrForbidden)
	require.Equal(t, head, h.head(), "no refusal changes the log")
}

// TestOwnerNeverChanges publishes two first events of an entity with different
// owners at the same time. One must be refused. An entity without an owner must
// not get one later.
func TestOwnerNeverChanges(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	erp := grant(t, "erp", 0, access.Service)
	for i := range 100 {
		results := make(chan error, 2) // one for each publication
		for employee := range 2 {
			go func() {
				_, err := h.Publish(t.Context(), erp, timesheet(i+1, employee+1), PublishOptions{})
				results <- err
			}()
		}
		if a, b := <-results, <-results; (a == nil) == (b == nil) {
			t.Fatalf("both or none stored: %v, %v", a, b)
		}
	}
	_, err := h.Publish(t.Context(), erp,
		[]byte(`{"type":"sync_progress","data":{"sync_id":"s","progress":1,"error":"not for 7"}}`), PublishOptions{})
	require.NoError(t, err)
	_, err = h.Publish(t.Context(), erp,
		[]byte(`{"type":"sync_progress","data":{"sync_id":"s","progress":2,"started_by":7}}`), PublishOptions{})
	require.ErrorIs(t, err, ErrOwner)
}

func TestPublishFailsBeforeHubIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{Log: memlog.New("k", time.Hour)}) // not run
		_, err := h.Publish(t.Context(), grant(t, "erp", 0, access.Service),
			[]byte(`{"type":"sync_progress","data":{"progress":1}}`), PublishOptions{})
		require.ErrorIs(t, err, ErrNotReady)
		_, err = h.Snapshot(t.Context(), grant(t, "4", 0, access.Manager))
		require.ErrorIs(t, err, ErrNotReady)
	})
}

// TestEntityAtRefusesStaleChanges publishes changes with an old EntityAt. They
// must be refused, but an event that is sent again after a lost answer must
// not.
func TestEntityAtRefusesStaleChanges(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	erp := grant(t, "erp", 0, access.Service)
	send := func(id, status string, at *wire.Cursor) (Receipt, error) {
		return h.Publish(t.Context(), erp, rentalStatus(id, status), PublishOptions{EntityAt: at})
	}
	first, err := send("a", "active", &wire.Cursor{Epoch: "k"})
	require.NoError(t, err)
	second, err := send("b", "off_rent", &first.Cursor)
	require.NoError(t, err)
	repeated, err := send("b", "off_rent", &first.Cursor)
	require.NoError(t, err)
	require.Equal(t, Receipt{ID: "b", Cursor: second.Cursor, Duplicate: true}, repeated)
	var moved *MovedError
	for _, at := range []*wire.Cursor{&first.Cursor, {Epoch: "other", Seq: 9}, {Epoch: "k", Seq: 99}} {
		_, err = send("c", "returned", at)
		require.ErrorAs(t, err, &moved)
		require.Equal(t, second.Cursor, moved.Cursor)
	}
	_, err = h.Publish(t.Context(), erp,
		[]byte(`{"type":"system_notification","data":{"message":"m"}}`), PublishOptions{EntityAt: &first.Cursor})
	require.ErrorIs(t, err, ErrNoEntity)
	_, err = h.Publish(t.Context(), erp,
		[]byte(`{"type":"payment_received","data":{"rental_id":1,"amount":1,"payment_method":"cash"}}`),
		PublishOptions{EntityAt: &first.Cursor})
	require.ErrorIs(t, err, ErrNoEntity, "a payment without an id is an entity of its own")
	b, err := h.config.Log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, b.Last)
}

func TestStrictHubRefusesUnknownFields(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{Strict: true})
	_, err := h.Publish(t.Context(), grant(t, "erp", 0, access.Service),
		[]byte(`{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1,"x":1}}`), PublishOptions{})
	require.ErrorContains(t, err, "/data/x")
}

// TestRepetitionAfterWindowChangesNothing sends an event again after the
// deduplication window. It must not bring back the old state of its entity.
func TestRepetitionAfterWindowChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{})
		erp := grant(t, "erp", 0, access.Service)
		send := func(id, status string, at *wire.Cursor) (Receipt, error) {
			return h.Publish(t.Context(), erp, rentalStatus(id, status), PublishOptions{EntityAt: at})
		}
		first, err := send("a", "active", nil)
		require.NoError(t, err)
		second, err := send("b", "off_rent", &first.Cursor)
		require.NoError(t, err)
		_, err = send("c", "completed", nil)
		require.NoError(t, err)
		time.Sleep(2 * time.Hour) // virtual
		repeated, err := send("b", "off_rent", &first.Cursor)
		require.NoError(t, err)
		require.Equal(t, Receipt{ID: "b", Cursor: second.Cursor, Duplicate: true}, repeated)
		require.Equal(t, "completed", h.Entity("rental/1").Fields.Text("status"))
		_, err = send("b", "cancelled", &first.Cursor)
		require.ErrorIs(t, err, eventlog.ErrConflict)
	})
}

// TestBatchRefusesTwoOwnersOfAnEntity publishes a batch that names two owners
// of one entity. Nothing of it may be stored.
func TestBatchRefusesTwoOwnersOfAnEntity(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	erp := grant(t, "erp", 0, access.Service)
	_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{timesheet(1, 1), timesheet(1, 2)}, false)
	require.ErrorIs(t, err, ErrOwner)
	require.Zero(t, lastSeq(t, h.config.Log))
	receipts, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{timesheet(1, 1), timesheet(1, 1)}, false)
	require.NoError(t, err)
	require.Len(t, receipts, 2)
}

// rentalStatus returns an event with an id that sets the status of rental 1.
func rentalStatus(id, status string) []byte {
	return fmt.Appendf(nil, `{"type":"rental_status_updated","id":%q,"data":{"rental_id":1,"status":%q}}`, id, status)
}

// TestPublishedEventEqualsStoredOne checks that the event which the hub hands over
// with a record is the one that others read from the record's body.
func TestPublishedEventEqualsStoredOne(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	raws := []string{
		`{"type":"sync_progress","id":"é \u00fc <&>","source":"/é","time":"2026-11-23T10:00:00.123456789+01:00",
			"data":{"sync_id":"s","progress":5,"started_by":7}}`,
		`{"type":"payment_received","severity":"error",
			"data":{"rental_id":3,"customer":"a\"\ud800","amount":1e2,"payment_method":"cash"}}`,
		string(timesheet(1, 1)),
	}
	for _, typ := range event.Types {
		raws = append(raws, string(event.Example(typ).Stamp("a", time.Now()).AppendJSON(nil)))
	}
	for _, raw := range raws {
		p, err := h.prepare(grant(t, "erp", 0, access.Service), []byte(raw), false)
		require.NoError(t, err, raw)
		entry := p.entry()
		r := eventlog.Record{Seq: 7, Body: entry.Body, Stored: time.Now()}
		read, err := Decode(r, "k")
		require.NoError(t, err)
		r.Value = entry.Value
		handedOver, err := Decode(r, "k")
		require.NoError(t, err)
		require.Equal(t, read, handedOver)
	}
}
