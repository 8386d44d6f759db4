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

// payment is an event with an id; payments of other amounts are other events.
func payment(id string, amount int) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"payment_received","id":%q,`+
		`"data":{"rental_id":1,"amount":%d,"payment_method":"cash"}}`, id, amount)
}

func timesheet(id, employee int) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"timesheet_updated","data":{"timesheet_id":%d,"employee_id":%d,`+
		`"status":"draft","date":"2026-11-23"}}`, id, employee)
}

// last is the sequence of the log's newest record.
func lastSeq(t *testing.T, log eventlog.Log) uint64 {
	t.Helper()
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	return b.Last
}

// refusedAt are the pointers of a refusal for a reason.
func refusedAt(t *testing.T, err, reason error) (pointers []string) {
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

// TestABatchIsJudgedBeforeAnythingIsStored: by the ids of the log and of the
// batch itself, by owners and by rights, and again after a restart.
func TestABatchIsJudgedBeforeAnythingIsStored(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{})
	erp := grant(t, "erp", 0, access.Service)
	_, err := h.Publish(t.Context(), erp, payment("x1", 1), PublishOptions{})
	require.NoError(t, err)
	_, err = h.Publish(t.Context(), erp, timesheet(1, 1), PublishOptions{})
	require.NoError(t, err)
	again := startHub(t, log, Config{}) // another broker, or the same one later
	head := lastSeq(t, log)
	for name, c := range map[string]struct {
		grant  access.Grant
		batch  []json.RawMessage
		reason error
		at     []string
	}{
		"an id of the log": {erp, []json.RawMessage{payment("e1", 5), payment("x1", 2), payment("e3", 7)},
			eventlog.ErrConflict, []string{"/1/id"}},
		"all of them are named": {erp, []json.RawMessage{payment("x1", 2), payment("e1", 5), payment("x1", 3)},
			eventlog.ErrConflict, []string{"/2/id"}},
		"ids of the batch": {erp, []json.RawMessage{payment("f1", 1), payment("f2", 1), payment("f1", 2),
			payment("f3", 1), payment("f2", 2)}, eventlog.ErrConflict, []string{"/2/id", "/4/id"}},
		"an owner of the state": {erp, []json.RawMessage{payment("g1", 1), timesheet(1, 2)}, ErrOwner,
			[]string{"/1/data/employee_id"}},
		"an owner of the batch": {erp, []json.RawMessage{timesheet(2, 1), timesheet(3, 1), timesheet(2, 2)}, ErrOwner,
			[]string{"/2/data/employee_id"}},
		"a type that may not be": {grant(t, "5", 0, access.Dispatcher), []json.RawMessage{payment("h1", 1),
			timesheet(4, 1)}, ErrForbidden, []string{"/1/type"}},
		"one at the end of a batch": {erp, append(manyPayments(999), payment("x1", 9)), eventlog.ErrConflict,
			[]string{"/999/id"}},
		"one at the start": {erp, append([]json.RawMessage{payment("x1", 9)}, manyPayments(3)...),
			eventlog.ErrConflict, []string{"/0/id"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, h := range []*Hub{h, again, h} {
				_, err := h.PublishBatch(t.Context(), c.grant, c.batch, false)
				require.Equal(t, c.at, refusedAt(t, err, c.reason))
				require.Equal(t, head, lastSeq(t, log), "no refusal changes the log")
			}
		})
	}
	receipts, err := again.PublishBatch(t.Context(), erp, []json.RawMessage{payment("e1", 5), payment("x1", 1),
		payment("e1", 5)}, false)
	require.NoError(t, err)
	require.Equal(t, []bool{false, true, true}, []bool{receipts[0].Duplicate, receipts[1].Duplicate,
		receipts[2].Duplicate}, "repetitions are no conflicts")
	require.Equal(t, head+1, lastSeq(t, log))
}

func manyPayments(n int) (batch []json.RawMessage) {
	for i := range n {
		batch = append(batch, payment(fmt.Sprint("many-", i), 1))
	}
	return batch
}

// TestIDsAreRememberedForTheWindow, and not for longer: an id may be used
// again then, as the log has it.
func TestIDsAreRememberedForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{Window: time.Hour})
		erp := grant(t, "erp", 0, access.Service)
		batch := func(amount int) error {
			_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("a", 1), payment("x", amount)}, false)
			return err
		}
		require.NoError(t, batch(1))
		require.Equal(t, []string{"/1/id"}, refusedAt(t, batch(2), eventlog.ErrConflict))
		time.Sleep(time.Hour)
		require.NoError(t, batch(2))
	})
}

// TestRememberedIDsAreBounded: beyond the bound the log judges, and its
// refusal has the place in the batch too.
func TestRememberedIDsAreBounded(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{MaxRememberedIDs: 16})
	erp := grant(t, "erp", 0, access.Service)
	for i := range 10 {
		_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{payment(fmt.Sprint("a", i), 1),
			payment(fmt.Sprint("b", i), 1), payment(fmt.Sprint("c", i), 1)}, false)
		require.NoError(t, err)
		require.LessOrEqual(t, len(h.ids.known), 16)
	}
	_, err := h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("d", 1), payment("c9", 2)}, false)
	require.Equal(t, []string{"/1/id"}, refusedAt(t, err, eventlog.ErrConflict))
	_, err = h.PublishBatch(t.Context(), erp, []json.RawMessage{payment("e", 1), payment("a0", 2)}, false)
	var partial *PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Stored, 1)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "/1/id", refused.Fields[0].Pointer)
	other := startHub(t, log, Config{MaxRememberedIDs: 16}) // reads no more than it may remember
	_, err = other.PublishBatch(t.Context(), erp, []json.RawMessage{payment("f", 1)}, false)
	require.NoError(t, err)
	require.LessOrEqual(t, len(other.ids.known), 16)
}

// A gated log holds up an append until it is opened, or breaks off.
type gated struct {
	eventlog.Log
	arrived chan struct{} // one for each append that waits
	open    chan error    // one for each that may go on: nil, or why it fails
}

func (g gated) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	g.arrived <- struct{}{}
	if err := <-g.open; err != nil {
		return eventlog.Ack{}, err
	}
	return g.Log.Append(ctx, e)
}

// TestABatchWaitsForWhatIsUnderWay with one of its ids or entities, and is
// judged by what became of it.
func TestABatchWaitsForWhatIsUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		single json.RawMessage
		batch  []json.RawMessage
		reason error
		at     string
	}{
		"an id": {payment("x1", 1), []json.RawMessage{payment("e1", 1), payment("x1", 2)}, eventlog.ErrConflict,
			"/1/id"},
		"an entity": {timesheet(1, 1), []json.RawMessage{payment("e1", 1), timesheet(1, 2)}, ErrOwner, "/1/data/employee_id"},
	} {
		for _, failure := range []error{nil, eventlog.ErrFull} {
			t.Run(fmt.Sprint(name, failure), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := gated{memlog.New("k", time.Hour), make(chan struct{}, 9), make(chan error, 9)}
					h := startHub(t, log, Config{})
					erp := grant(t, "erp", 0, access.Service)
					single, batch := make(chan error, 1), make(chan error, 1) // one answer each
					go func() { _, err := h.Publish(t.Context(), erp, c.single, PublishOptions{}); single <- err }()
					<-log.arrived
					go func() { _, err := h.PublishBatch(t.Context(), erp, c.batch, false); batch <- err }()
					synctest.Wait()
					require.Empty(t, log.arrived, "the batch was stored beside it")
					log.open <- failure
					require.ErrorIs(t, <-single, failure)
					for range c.batch {
						log.open <- nil
					}
					if err := <-batch; failure == nil {
						require.Equal(t, []string{c.at}, refusedAt(t, err, c.reason))
						require.EqualValues(t, 1, lastSeq(t, log))
					} else {
						require.NoError(t, err, "what failed stands in nobody's way")
					}
				})
			})
		}
	}
}

// TestRacingBatchesAreStoredWholeOrNotAtAll: of two that name other owners of
// one thing, or other content of one id, one is refused and leaves nothing.
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
				// In another order each, which must not make them wait for each other.
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

// TestABatchThatTheLogBreaksOff says what was stored; sending it again
// completes it.
func TestABatchThatTheLogBreaksOff(t *testing.T) {
	log := gated{memlog.New("k", time.Hour), make(chan struct{}, 9), make(chan error, 9)}
	h := startHub(t, log, Config{})
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

// TestTheFrontJudgesABatchByItself, as far as that needs no log.
func TestTheFrontJudgesABatchByItself(t *testing.T) {
	front := New(Config{Log: memlog.New("front", 0)})
	erp := grant(t, "erp", 0, access.Service)
	err := front.Check(erp, []json.RawMessage{payment("a", 1), payment("a", 2)}, true, PublishOptions{})
	require.Equal(t, []string{"/1/id"}, refusedAt(t, err, eventlog.ErrConflict))
	err = front.Check(erp, []json.RawMessage{timesheet(1, 1), timesheet(1, 2)}, true, PublishOptions{})
	require.Equal(t, []string{"/1/data/employee_id"}, refusedAt(t, err, ErrOwner))
	var problem *event.Problem
	err = front.Check(erp, []json.RawMessage{payment("a", 1), payment("a\n", 1)}, true, PublishOptions{})
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "/1/id", problem.Fields[0].Pointer)
	require.NoError(t, front.Check(erp, []json.RawMessage{payment("a", 1), payment("a", 1)}, true, PublishOptions{}))
}
