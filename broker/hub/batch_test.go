package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// payment returns an event with an id. Payments of different amounts are
// different events.
func payment(id string, amount int) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"payment_received","id":%q,`+
		`"data":{"rental_id":1,"amount":%d,"payment_method":"cash"}}`, id, amount)
}

// timesheet returns an event about a time sheet of an employee.
func timesheet(id, employee int) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"timesheet_updated","data":{"timesheet_id":%d,"employee_id":%d,`+
		`"status":"draft","date":"2026-11-23"}}`, id, employee)
}

// lastSeq returns the number of the log's newest record.
func lastSeq(t *testing.T, log eventlog.Log) uint64 {
	t.Helper()
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	return b.Last
}

// requireRefused checks that a batch was refused for a reason and that nothing
// was stored. It returns the pointers of the refused fields.
func requireRefused(t *testing.T, err, reason error) (pointers []string) {
	t.Helper()
	require.ErrorIs(t, err, reason)
	var partial *PartialError
	require.False(t, errors.As(err, &partial), "something was stored: %v", err)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	for _, f := range refused.Fields {
		require.NotEmpty(t, f.Code+f.Expected)
		pointers = append(pointers, f.Pointer)
	}
	return pointers
}

// TestBatchStoresNothingWhenOneEventIsRefused publishes batches with bad
// events: by their ids, owners or types. It repeats them on a second hub, as
// after a restart.
func TestBatchStoresNothingWhenOneEventIsRefused(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{})
	erp := grant(t, "erp", 0, access.Service)
	_, err := h.Publish(t.Context(), erp, payment("x1", 1), PublishOptions{})
	require.NoError(t, err)
	_, err = h.Publish(t.Context(), erp, timesheet(1, 1), PublishOptions{})
	require.NoError(t, err)
	otherHub := startHub(t, log, Config{}) // of another broker, or of the same one later
	head := lastSeq(t, log)
	for name, c := range map[string]struct {
		grant  access.Grant
		batch  []json.RawMessage
		reason error
		at     []string
	}{
		"an id of the log": {
			erp,
			[]json.RawMessage{payment("e1", 5), payment("x1", 2), payment("e3", 7)},
			eventlog.ErrConflict,
			[]string{"/1/id"},
		},
		"ids of the batch are checked before those of the log": {
			erp,
			[]json.RawMessage{payment("x1", 2), payment("e1", 5), payment("x1", 3)},
			eventlog.ErrConflict,
			[]string{"/2/id"},
		},
		"ids of the batch": {
			erp,
			[]json.RawMessage{payment("f1", 1), payment("f2", 1), payment("f1", 2), payment("f3", 1), payment("f2", 2)},
			eventlog.ErrConflict,
			[]string{"/2/id", "/4/id"},
		},
		"an owner of the state": {
			erp,
			[]json.RawMessage{payment("g1", 1), timesheet(1, 2)},
			ErrOwner,
			[]string{"/1/data/employee_id"},
		},
		"an owner of the batch": {
			erp,
			[]json.RawMessage{timesheet(2, 1), timesheet(3, 1), timesheet(2, 2)},
			ErrOwner,
			[]string{"/2/data/employee_id"},
		},
		"a type that is not allowed": {
			grant(t, "5", 0, access.Dispatcher),
			[]json.RawMessage{payment("h1", 1), timesheet(4, 1)},
			ErrForbidden,
			[]string{"/1/type"},
		},
		"one at the end of a batch": {
			erp,
			append(manyPayments(999), payment("x1", 9)),
			eventlog.ErrConflict,
			[]string{"/999/id"},
		},
		"one at the start": {
			erp,
			append([]json.RawMessage{payment("x1", 9)}, manyPayments(3)...),
			eventlog.ErrConflict,
			[]string{"/0/id"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, h := range []*Hub{h, otherHub, h} {
				_, err := h.PublishBatch(t.Context(), c.grant, c.batch, false)
				require.Equal(t, c.at, requireRefused(t, err, c.reason))
				require.Equal(t, head, lastSeq(t, log), "no refusal changes the log")
			}
		})
	}
	receipts, err := otherHub.PublishBatch(t.Context(), erp, []json.RawMessage{payment("e1", 5), payment("x1", 1),
		payment("e1", 5)}, false)
	require.NoError(t, err)
	require.Equal(t, []bool{false, true, true}, []bool{receipts[0].Duplicate, receipts[1].Duplicate,
		receipts[2].Duplicate}, "repetitions are no conflicts")
	require.Equal(t, head+1, lastSeq(t, log))
}

// manyPayments returns n payments with ids of their own.
func manyPayments(n int) (batch []json.RawMessage) {
	for i := range n {
		batch = append(batch, payment(fmt.Sprint("many-", i), 1))
	}
	return batch
}

// TestIDsAreRememberedForTheWindow checks that an id may be used again after the
// deduplication window, as in the log.
func TestIDsAreRememberedForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{})
		erp := grant(t, "erp", 0, access.Service)
		batch := func(amount int) error {
			_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("a", 1), payment("x", amount)}, false)
			return err
		}
		require.NoError(t, batch(1))
		require.Equal(t, []string{"/1/id"}, requireRefused(t, batch(2), eventlog.ErrConflict))
		time.Sleep(time.Hour)
		require.NoError(t, batch(2))
	})
}

// A divisibleLog stores the entries of a batch one after the other.
type divisibleLog struct{ eventlog.Log }

func (d divisibleLog) AppendBatch(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	return eventlog.AppendInTurn(ctx, d.Append, entries)
}

// TestConflictInsideADividedBatchNamesTheEvent checks the error for a log that
// finds a conflict only when it has stored the events before it.
func TestConflictInsideADividedBatchNamesTheEvent(t *testing.T) {
	h := startHub(t, divisibleLog{memlog.New("k", time.Hour)}, Config{})
	erp := grant(t, "erp", 0, access.Service)
	_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("a", 1)}, false)
	require.NoError(t, err)
	_, err = h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("e", 1), payment("a", 2)}, false)
	var partial *PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Stored, 1)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "/1/id", refused.Fields[0].Pointer)
	_, err = h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("a", 2), payment("f", 1)}, false)
	require.Equal(t, []string{"/0/id"}, requireRefused(t, err, eventlog.ErrConflict))
}

// A gatedLog blocks each append until the test lets it continue or fail.
type gatedLog struct {
	eventlog.Log
	arrived chan struct{} // receives a value from each append; has room for all of a test
	open    chan error    // sends each append its error, or nil; has room for all of a test
}

func (g gatedLog) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	g.arrived <- struct{}{}
	if err := <-g.open; err != nil {
		return eventlog.Ack{}, err
	}
	return g.Log.Append(ctx, e)
}

func (g gatedLog) AppendBatch(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	g.arrived <- struct{}{}
	if err := <-g.open; err != nil {
		return nil, err
	}
	return g.Log.AppendBatch(ctx, entries)
}

// TestBatchWaitsForConflictingPublication publishes an event and then a batch
// with the same id or entity. The batch must wait for the result of the event.
func TestBatchWaitsForConflictingPublication(t *testing.T) {
	for name, c := range map[string]struct {
		single json.RawMessage
		batch  []json.RawMessage
		reason error
		at     string
	}{
		"an id": {payment("x1", 1), []json.RawMessage{payment("e1", 1), payment("x1", 2)}, eventlog.ErrConflict,
			"/1/id"},
		"an entity": {timesheet(1, 1), []json.RawMessage{payment("e1", 1), timesheet(1, 2)}, ErrOwner,
			"/1/data/employee_id"},
	} {
		for _, failure := range []error{nil, eventlog.ErrFull} {
			t.Run(fmt.Sprint(name, failure), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := gatedLog{memlog.New("k", time.Hour), make(chan struct{}, 9), make(chan error, 9)}
					h := startHub(t, log, Config{})
					erp := grant(t, "erp", 0, access.Service)
					single, batch := make(chan error, 1), make(chan error, 1) // one answer each
					go func() { _, err := h.Publish(t.Context(), erp, c.single, PublishOptions{}); single <- err }()
					<-log.arrived
					go func() { _, err := h.PublishBatch(t.Context(), erp, c.batch, false); batch <- err }()
					synctest.Wait()
					require.Empty(t, log.arrived, "the batch did not wait for the event")
					log.open <- failure
					require.ErrorIs(t, <-single, failure)
					for range c.batch {
						log.open <- nil
					}
					if err := <-batch; failure == nil {
						require.Equal(t, []string{c.at}, requireRefused(t, err, c.reason))
						require.EqualValues(t, 1, lastSeq(t, log))
					} else {
						require.NoError(t, err, "a failed event must not refuse the batch")
					}
				})
			})
		}
	}
}

// TestRacingBatchesAreStoredWholeOrNotAtAll publishes several conflicting batches
// at the same time. One is stored, and the others leave nothing in the log.
func TestRacingBatchesAreStoredWholeOrNotAtAll(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{})
	erp := grant(t, "erp", 0, access.Service)
	for i := range 50 {
		var all sync.WaitGroup
		results := make([]error, 4)
		before := lastSeq(t, log)
		for n := range results {
			all.Go(func() {
				// The batches have different orders, which must not make them
				// wait for each other for ever.
				batch := []json.RawMessage{timesheet(2*i+1+n%2, 1+n), payment(fmt.Sprint("p", i), 1+n),
					timesheet(2*i+2-n%2, 1+n)}
				_, results[n] = h.PublishBatch(t.Context(), erp, batch, false)
			})
		}
		all.Wait()
		stored := 0
		for _, err := range results {
			if err == nil {
				stored++
			}
		}
		require.Equal(t, 1, stored, "%v", results)
		require.Equal(t, before+3, lastSeq(t, log))
	}
}

// TestPartialBatchReportsStoredEvents lets the log fail in the middle of a
// batch. The error has the receipts of the stored events, and the same batch
// again stores the rest.
func TestPartialBatchReportsStoredEvents(t *testing.T) {
	log := gatedLog{memlog.New("k", time.Hour), make(chan struct{}, 9), make(chan error, 9)}
	h := startHub(t, divisibleLog{log}, Config{})
	batch := []json.RawMessage{payment("a", 1), payment("b", 1), payment("c", 1)}
	for _, err := range []error{nil, eventlog.ErrFull, nil, nil, nil} {
		log.open <- err
	}
	_, err := h.PublishBatch(t.Context(), grant(t, "erp", 0, access.Service), batch, false)
	var partial *PartialError
	require.ErrorAs(t, err, &partial)
	require.ErrorIs(t, err, eventlog.ErrFull)
	require.Len(t, partial.Stored, 1)
	receipts, err := h.PublishBatch(t.Context(), grant(t, "erp", 0, access.Service), batch, false)
	require.NoError(t, err)
	require.True(t, receipts[0].Duplicate && !receipts[1].Duplicate && !receipts[2].Duplicate)
	require.EqualValues(t, 3, lastSeq(t, log))
}

// TestCheckRefusesBatchesWithoutLog checks batches in a hub that does not run,
// as the front at the edge does.
func TestCheckRefusesBatchesWithoutLog(t *testing.T) {
	front := New(Config{Log: memlog.New("front", 0)})
	erp := grant(t, "erp", 0, access.Service)
	err := front.Check(erp, []json.RawMessage{payment("a", 1), payment("a", 2)}, true, PublishOptions{})
	require.Equal(t, []string{"/1/id"}, requireRefused(t, err, eventlog.ErrConflict))
	err = front.Check(erp, []json.RawMessage{timesheet(1, 1), timesheet(1, 2)}, true, PublishOptions{})
	require.Equal(t, []string{"/1/data/employee_id"}, requireRefused(t, err, ErrOwner))
	var problem *event.Problem
	err = front.Check(erp, []json.RawMessage{payment("a", 1), payment("a\n", 1)}, true, PublishOptions{})
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "/1/id", problem.Fields[0].Pointer)
	require.NoError(t, front.Check(erp, []json.RawMessage{payment("a", 1), payment("a", 1)}, true, PublishOptions{}))
}
