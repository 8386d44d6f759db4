// Package logtest checks the contract of eventlog.Log with a test suite. Every
// implementation runs the suite with [Run].
package logtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// An Opener opens logs for the suite.
type Opener struct {
	// Open returns a new, empty log. The suite closes it. Open is required.
	Open func(t *testing.T) eventlog.Log
	// Reopen closes a log as a crash or a stop would, and opens it again. nil
	// disables the tests of logs that outlive the process.
	Reopen func(t *testing.T, log eventlog.Log) eventlog.Log
}

// Run runs the whole suite.
func Run(t *testing.T, o Opener) {
	for name, test := range map[string]func(*testing.T, eventlog.Log){
		"append numbers records without holes":      testAppendNumbersRecords,
		"append stores a key once":                  testAppendStoresKeyOnce,
		"concurrent appends store a key once":       testConcurrentAppends,
		"a batch is stored in order":                testBatchIsStoredInOrder,
		"a batch with a conflict stores nothing":    testBatchWithConflictStoresNothing,
		"concurrent batches and appends":            testConcurrentBatches,
		"read returns pages in order":               testReadReturnsPages,
		"read applies selections":                   testReadAppliesSelections,
		"purge removes old records":                 testPurgeRemovesOldRecords,
		"tail delivers every record in order":       testTailDeliversInOrder,
		"tail after a purge fails":                  testTailAfterPurgeFails,
		"SeqBefore finds a record by time":          testSeqBeforeFindsTime,
		"ReadBefore returns pages backwards":        testReadBeforeReturnsPages,
		"store keeps values until they expire":      testStoreKeepsValues,
		"a cancelled append can be safely repeated": testCancelledAppendIsRepeatable,
	} {
		t.Run(name, func(t *testing.T) {
			log := o.Open(t)
			t.Cleanup(func() { require.NoError(t, log.Close()) })
			test(t, log)
		})
	}
	if o.Reopen != nil {
		t.Run("a reopened log has all records", func(t *testing.T) { testReopenedLogHasRecords(t, o) })
	}
}

// entry returns an entry with a key, digest and body of its own.
func entry(i int, typ event.Type, subject string) eventlog.Entry {
	return eventlog.Entry{
		Type:    typ,
		Subject: subject,
		Key:     fmt.Sprintf("key-%d", i),
		Digest:  fmt.Sprintf("digest-%d", i),
		Body:    fmt.Appendf(nil, `{"n":%d}`, i),
	}
}

// fill appends n entries of three types and ten subjects.
func fill(t *testing.T, log eventlog.Log, n int) {
	t.Helper()
	require.NoError(t, log.Health())
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	for i := int(b.Last) + 1; i <= int(b.Last)+n; i++ {
		_, err := log.Append(t.Context(), entry(i, event.Types[i%3], fmt.Sprintf("kind%d/%d", i%2, i%5)))
		require.NoError(t, err)
	}
}

// seqs returns the numbers of records.
func seqs(records []eventlog.Record) []uint64 {
	out := []uint64{}
	for _, r := range records {
		out = append(out, r.Seq)
	}
	return out
}

func testAppendNumbersRecords(t *testing.T, log eventlog.Log) {
	require.True(t, wire.ValidEpoch(log.Epoch()), log.Epoch())
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	require.Equal(t, eventlog.Bounds{First: 1, Last: 0}, b)
	for i := 1; i <= 5; i++ {
		ack, err := log.Append(t.Context(), entry(i, event.TypeSyncProgress, "sync/x"))
		require.NoError(t, err)
		require.Equal(t, eventlog.Ack{Seq: uint64(i)}, ack)
	}
	b, err = log.Bounds(t.Context())
	require.NoError(t, err)
	require.Equal(t, eventlog.Bounds{First: 1, Last: 5}, b)
}

func testAppendStoresKeyOnce(t *testing.T, log eventlog.Log) {
	e := entry(1, event.TypeSyncProgress, "sync/x")
	first, err := log.Append(t.Context(), e)
	require.NoError(t, err)
	repeated, err := log.Append(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: first.Seq, Duplicate: true}, repeated)
	e.Digest = "other"
	_, err = log.Append(t.Context(), e)
	require.ErrorIs(t, err, eventlog.ErrConflict)
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, b.Last)
}

func testConcurrentAppends(t *testing.T, log eventlog.Log) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	acks := make(chan uint64, writers*each)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				// Every entry is sent twice, by two writers.
				ack, err := log.Append(t.Context(), entry((w/2)*each+i, event.TypeSyncProgress, "sync/x"))
				if err != nil {
					t.Error(err)
					return
				}
				acks <- ack.Seq
			}
		})
	}
	wg.Wait()
	close(acks)
	times := map[uint64]int{}
	for seq := range acks {
		times[seq]++
	}
	require.Len(t, times, writers/2*each)
	for seq, n := range times {
		require.Equal(t, 2, n, "sequence %d", seq)
	}
}

func testReadReturnsPages(t *testing.T, log eventlog.Log) {
	page, err := log.Read(t.Context(), 0, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Empty(t, page.Records)
	require.Zero(t, page.Through)
	before := time.Now().Add(-time.Minute)
	fill(t, log, 25)
	var all []eventlog.Record
	for after := uint64(0); after < 25; {
		page, err := log.Read(t.Context(), after, 10, eventlog.Selection{})
		require.NoError(t, err)
		require.Equal(t, page.Records[len(page.Records)-1].Seq, page.Through)
		all = append(all, page.Records...)
		after = page.Through
	}
	for i, r := range all {
		want := entry(i+1, event.Types[(i+1)%3], fmt.Sprintf("kind%d/%d", (i+1)%2, (i+1)%5))
		require.EqualValues(t, i+1, r.Seq)
		require.Equal(t, want.Type, r.Type)
		require.Equal(t, want.Subject, r.Subject)
		require.Equal(t, want.Body, r.Body)
		require.Equal(t, want.Key, r.Key)
		require.Equal(t, want.Digest, r.Digest)
		require.True(t, r.Stored.After(before) && r.Stored.Before(time.Now().Add(time.Minute)))
	}
	require.Len(t, all, 25)
	page, err = log.Read(t.Context(), 25, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Equal(t, eventlog.Page{Through: 25}, page)
}

func testReadAppliesSelections(t *testing.T, log eventlog.Log) {
	fill(t, log, 60)
	const oddSubject = "equipment/Excavator XC-200 (50%/*.>)"
	_, err := log.Append(t.Context(), entry(61, event.TypeMaintenanceRequired, oddSubject))
	require.NoError(t, err)
	everything, err := log.Read(t.Context(), 0, 100, eventlog.Selection{})
	require.NoError(t, err)
	many := []string{"equipment/*"}
	for i := range 12 {
		many = append(many, fmt.Sprintf("kind0/%d", i))
	}
	for _, s := range []eventlog.Selection{
		{Types: event.Types[:1]},
		{Types: event.Types[:2]},
		{Types: event.Types[5:6]},
		{Subjects: []string{"kind1/3"}},
		{Subjects: []string{"kind1/*"}},
		{Subjects: []string{"kind1/*", "kind1/3", "kind0/2"}},
		{Subjects: []string{oddSubject}},
		{Types: event.Types[1:3], Subjects: []string{"kind1/*", "kind0/4"}},
		{Subjects: many},
	} {
		want := []uint64{}
		for _, r := range everything.Records {
			if selected(s, r) {
				want = append(want, r.Seq)
			}
		}
		for _, limit := range []int{1, 7, 100} {
			got := []uint64{}
			for after := uint64(0); after < 61; {
				page, err := log.Read(t.Context(), after, limit, s)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Records), limit)
				require.Greater(t, page.Through, after, "a page moves on")
				got = append(got, seqs(page.Records)...)
				after = page.Through
			}
			require.Equal(t, want, got, "%v by %d", s, limit)
		}
	}
}

// selected reports whether a selection selects a record. It is the contract of a
// Selection in its simplest form.
func selected(s eventlog.Selection, r eventlog.Record) bool {
	bySubject := func(p string) bool {
		kind, all := strings.CutSuffix(p, "*")
		return p == r.Subject || all && strings.HasPrefix(r.Subject, kind)
	}
	return (len(s.Types) == 0 || slices.Contains(s.Types, r.Type)) &&
		(len(s.Subjects) == 0 || slices.ContainsFunc(s.Subjects, bySubject))
}

func testPurgeRemovesOldRecords(t *testing.T, log eventlog.Log) {
	fill(t, log, 10)
	require.NoError(t, log.Purge(t.Context(), 4))
	bounds := func() eventlog.Bounds {
		b, err := log.Bounds(t.Context())
		require.NoError(t, err)
		return b
	}
	require.Equal(t, eventlog.Bounds{First: 5, Last: 10}, bounds())
	_, err := log.Read(t.Context(), 3, 10, eventlog.Selection{})
	require.ErrorIs(t, err, eventlog.ErrGone)
	page, err := log.Read(t.Context(), 4, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Equal(t, []uint64{5, 6, 7, 8, 9, 10}, seqs(page.Records))
	require.NoError(t, log.Purge(t.Context(), 2), "these records are purged already")
	require.NoError(t, log.Purge(t.Context(), 1000), "beyond the head")
	require.Equal(t, eventlog.Bounds{First: 11, Last: 10}, bounds())
	ack, err := log.Append(t.Context(), entry(99, event.TypeSyncProgress, "sync/x"))
	require.NoError(t, err)
	require.EqualValues(t, 11, ack.Seq)
	ack, err = log.Append(t.Context(), entry(10, event.TypeSyncProgress, "sync/x"))
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: 10, Duplicate: true}, ack, "a purged id is still a duplicate")
}

func testTailDeliversInOrder(t *testing.T, log eventlog.Log) {
	fill(t, log, 5)
	ctx, cancel := context.WithCancel(t.Context())
	received := make(chan eventlog.Record, 100) // more than the records of this test
	done := make(chan error, 1)
	go func() { done <- log.Tail(ctx, 2, func(r eventlog.Record) { received <- r }) }()
	fill(t, log, 20)
	for want := uint64(3); want <= 25; want++ {
		select {
		case r := <-received:
			require.Equal(t, want, r.Seq)
			require.Equal(t, fmt.Appendf(nil, `{"n":%d}`, want), r.Body)
			require.Equal(t, fmt.Sprintf("key-%d digest-%[1]d", want), r.Key+" "+r.Digest)
		case <-time.After(20 * time.Second):
			t.Fatalf("record %d never came", want)
		}
	}
	cancel()
	require.NoError(t, <-done)
}

func testTailAfterPurgeFails(t *testing.T, log eventlog.Log) {
	fill(t, log, 5)
	require.NoError(t, log.Purge(t.Context(), 3))
	err := log.Tail(t.Context(), 2, func(r eventlog.Record) { t.Errorf("received %d", r.Seq) })
	require.ErrorIs(t, err, eventlog.ErrGone)
}

func testSeqBeforeFindsTime(t *testing.T, log eventlog.Log) {
	seq, err := eventlog.SeqBefore(t.Context(), log, time.Now())
	require.NoError(t, err)
	require.Zero(t, seq)
	fill(t, log, 20)
	require.NoError(t, log.Purge(t.Context(), 3))
	page, err := log.Read(t.Context(), 3, 100, eventlog.Selection{})
	require.NoError(t, err)
	for _, r := range page.Records {
		seq, err := eventlog.SeqBefore(t.Context(), log, r.Stored)
		require.NoError(t, err)
		want := uint64(3)
		for _, other := range page.Records {
			if other.Stored.Before(r.Stored) {
				want = other.Seq
			}
		}
		require.Equal(t, want, seq)
	}
	seq, err = eventlog.SeqBefore(t.Context(), log, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 20, seq)
}

func testReadBeforeReturnsPages(t *testing.T, log eventlog.Log) {
	_, from, err := eventlog.ReadBefore(t.Context(), log, 99, 10, eventlog.Selection{})
	require.NoError(t, err)
	require.Zero(t, from)
	fill(t, log, 60)
	require.NoError(t, log.Purge(t.Context(), 5))
	everything, err := log.Read(t.Context(), 5, 100, eventlog.Selection{})
	require.NoError(t, err)
	for _, s := range []eventlog.Selection{
		{},
		{Types: event.Types[:1]},
		{Subjects: []string{"kind1/3"}},
		{Types: event.Types[7:8]},
	} {
		var want []uint64
		for _, r := range everything.Records {
			if selected(s, r) {
				want = append(want, r.Seq)
			}
		}
		for _, limit := range []int{1, 4, 100} {
			var got []uint64
			for before := uint64(1000); before > 6; {
				records, from, err := eventlog.ReadBefore(t.Context(), log, before, limit, s)
				require.NoError(t, err)
				require.LessOrEqual(t, len(records), limit)
				require.Less(t, from, before)
				got = append(seqs(records), got...)
				before = from + 1
			}
			require.Equal(t, want, append([]uint64(nil), got...), "%v by %d", s, limit)
		}
	}
	_, _, err = eventlog.ReadBefore(t.Context(), log, 5, 1, eventlog.Selection{})
	require.ErrorIs(t, err, eventlog.ErrGone)
}

func testCancelledAppendIsRepeatable(t *testing.T, log eventlog.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := log.Append(ctx, entry(1, event.TypeSyncProgress, "sync/x"))
	require.Error(t, err)
	// The entry may have been stored or not. Appending it again is safe.
	ack, err := log.Append(t.Context(), entry(1, event.TypeSyncProgress, "sync/x"))
	require.NoError(t, err)
	require.EqualValues(t, 1, ack.Seq)
}

func testReopenedLogHasRecords(t *testing.T, o Opener) {
	log := o.Open(t)
	fill(t, log, 10)
	require.NoError(t, log.Purge(t.Context(), 3))
	require.NoError(t, log.Put(t.Context(), "key", []byte("value"), 0))
	epoch := log.Epoch()
	log = o.Reopen(t, log)
	defer func() { require.NoError(t, log.Close()) }()
	require.Equal(t, epoch, log.Epoch())
	page, err := log.Read(t.Context(), 3, 100, eventlog.Selection{})
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5, 6, 7, 8, 9, 10}, seqs(page.Records))
	value, err := log.Get(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, "value", string(value))
	ack, err := log.Append(t.Context(), entry(9, event.Types[9%3], "kind1/4"))
	require.NoError(t, err)
	require.Equal(t, eventlog.Ack{Seq: 9, Duplicate: true}, ack)
	ack, err = log.Append(t.Context(), entry(11, event.TypeSyncProgress, "sync/x"))
	require.NoError(t, err)
	require.EqualValues(t, 11, ack.Seq)
}
