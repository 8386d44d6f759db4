package logtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
)

// batchOf returns entries with the numbers of a range.
func batchOf(from, through int) (entries []eventlog.Entry) {
	for i := from; i <= through; i++ {
		entries = append(entries, entry(i, event.TypeSyncProgress, "sync/x"))
	}
	return entries
}

func testBatchIsStoredInOrder(t *testing.T, log eventlog.Log) {
	acks, err := log.AppendBatch(t.Context(), batchOf(1, 1000))
	require.NoError(t, err)
	for i, ack := range acks {
		require.Equal(t, eventlog.Ack{Seq: uint64(i + 1)}, ack)
	}
	page, err := log.Read(t.Context(), 0, 1000, eventlog.Selection{})
	require.NoError(t, err)
	require.Len(t, page.Records, 1000)
	for i, r := range page.Records {
		want := entry(i+1, event.TypeSyncProgress, "sync/x")
		require.Equal(t, want, eventlog.Entry{
			Type: r.Type, Subject: r.Subject, Key: r.Key, Digest: r.Digest, Body: r.Body,
		})
	}
	// A batch may repeat stored entries and its own.
	batch := append(batchOf(999, 1001), entry(1001, event.TypeSyncProgress, "sync/x"))
	want := []eventlog.Ack{{Seq: 999, Duplicate: true}, {Seq: 1000, Duplicate: true}, {Seq: 1001},
		{Seq: 1001, Duplicate: true}}
	acks, err = log.AppendBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, want, acks)
	want[2].Duplicate = true
	acks, err = log.AppendBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, want, acks)
	one, err := log.AppendBatch(t.Context(), batchOf(1002, 1002))
	require.NoError(t, err)
	require.Equal(t, []eventlog.Ack{{Seq: 1002}}, one)
}

func testBatchWithConflictStoresNothing(t *testing.T, log eventlog.Log) {
	fill(t, log, 3)
	other := func(i int) eventlog.Entry {
		e := entry(i, event.TypeSyncProgress, "sync/x")
		e.Digest = "other"
		return e
	}
	for _, c := range []struct {
		batch   []eventlog.Entry
		indexes []int
	}{
		{append(batchOf(4, 6), other(2)), []int{3}},
		{append(batchOf(4, 6), other(5), other(1)), []int{3, 4}},
		{[]eventlog.Entry{other(3)}, []int{0}},
	} {
		acks, err := log.AppendBatch(t.Context(), c.batch)
		require.ErrorIs(t, err, eventlog.ErrConflict)
		var conflict *eventlog.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, c.indexes, conflict.Indexes)
		require.Empty(t, acks)
	}
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, b.Last)
}

// testConcurrentBatches appends batches and single entries at the same time.
// Every entry comes twice. Each batch must lie in the log without a record of
// another caller in between.
func testConcurrentBatches(t *testing.T, log eventlog.Log) {
	const batches, size = 8, 20
	received := make(chan uint64, 2*batches*size) // more than the records
	ctx, cancel := context.WithCancel(t.Context())
	var tail, appends sync.WaitGroup
	tail.Go(func() {
		if err := log.Tail(ctx, 0, func(r eventlog.Record) { received <- r.Seq }); err != nil {
			t.Error(err)
		}
	})
	defer tail.Wait()
	defer cancel()
	for b := range batches {
		for range 2 {
			appends.Go(func() {
				acks, err := log.AppendBatch(t.Context(), batchOf(1+b*size, (b+1)*size))
				if err != nil {
					t.Error(err)
					return
				}
				for i, ack := range acks {
					if ack.Seq != acks[0].Seq+uint64(i) {
						t.Errorf("entry %d of a batch from %d has the number %d", i, acks[0].Seq, ack.Seq)
					}
				}
			})
		}
		for i := range size {
			appends.Go(func() {
				_, err := log.Append(t.Context(), entry(1000+b*size+i, event.TypeSyncProgress, "sync/x"))
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	appends.Wait()
	for want := uint64(1); want <= 2*batches*size; want++ {
		select {
		case seq := <-received:
			require.Equal(t, want, seq)
		case <-time.After(20 * time.Second):
			t.Fatalf("record %d never came", want)
		}
	}
}
