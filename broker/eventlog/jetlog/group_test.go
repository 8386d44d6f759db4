package jetlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A result is the result of an append.
type result struct {
	ack eventlog.Ack
	err error
}

// appendAsGroup appends entries at the same time so that all are in one group. It
// returns their results in the order of the entries.
func appendAsGroup(t *testing.T, log *Log, entries ...eventlog.Entry) []result {
	t.Helper()
	w := &log.writer
	w.mu.Lock()
	require.False(t, w.active)
	w.active = true // as if a group were being stored
	w.mu.Unlock()
	results := make([]result, len(entries))
	var all sync.WaitGroup
	for i, e := range entries {
		all.Go(func() { results[i].ack, results[i].err = log.Append(t.Context(), e) })
		waittest.Eventually(t, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.waiting) == i+1
		}, 10*time.Second, time.Millisecond)
	}
	w.running.Go(log.storeGroups)
	all.Wait()
	w.running.Wait()
	return results
}

// batchIDs returns the ids of the atomic batches that the stream's messages came
// in. The id of an ordinary message is "".
func batchIDs(t *testing.T, log *Log) (ids []string) {
	t.Helper()
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	for seq := b.First; seq <= b.Last; seq++ {
		m, err := log.currentLink().stream.GetMsg(t.Context(), seq)
		require.NoError(t, err)
		ids = append(ids, m.Header.Get(jetstreamext.BatchIDHeader))
	}
	return ids
}

// numbered returns n entries with keys of their own.
func numbered(n int) (entries []eventlog.Entry) {
	for i := range n {
		entries = append(entries, syncEntry(fmt.Sprint(i)))
	}
	return entries
}

// storeUnknown stores an entry in the stream without the log's knowledge, as
// another broker does.
func storeUnknown(t *testing.T, log *Log, e eventlog.Entry) {
	t.Helper()
	_, err := log.currentLink().publish(t.Context(), log.config.message(e))
	require.NoError(t, err)
}

// TestWaitingAppendsShareOneFlush appends 64 entries at the same time. All must
// come in one atomic batch, which the server flushes once.
func TestWaitingAppendsShareOneFlush(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	for i, r := range appendAsGroup(t, log, numbered(64)...) {
		require.NoError(t, r.err)
		require.Equal(t, eventlog.Ack{Seq: uint64(i + 1)}, r.ack)
	}
	_, err := log.Append(t.Context(), syncEntry("alone"))
	require.NoError(t, err)
	ids := batchIDs(t, log)
	require.NotEmpty(t, ids[0])
	require.Equal(t, slices.Repeat(ids[:1], 64), ids[:64])
	require.Empty(t, ids[64], "a single entry is an ordinary message")
}

// TestEqualIDsInAGroup appends equal ids at the same time. The second waits for
// the first. Neither keeps the other entries from their batch.
func TestEqualIDsInAGroup(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	other := syncEntry("0")
	other.Digest = "another"
	results := appendAsGroup(t, log, append(numbered(minGroup), syncEntry("0"), other, syncEntry("c"))...)
	for i, r := range results[:minGroup] {
		require.Equal(t, result{ack: eventlog.Ack{Seq: uint64(i + 1)}}, r)
	}
	require.Equal(t, []result{
		{ack: eventlog.Ack{Seq: 1, Duplicate: true}},
		{err: eventlog.ErrConflict},
		{ack: eventlog.Ack{Seq: minGroup + 1}},
	}, results[minGroup:])
	ids := batchIDs(t, log)
	require.NotEmpty(t, ids[0])
	require.Equal(t, slices.Repeat(ids[:1], minGroup+1), ids)
}

// TestStoredIDsAreNotSent repeats stored ids in a group with new ones. The log
// must answer the repetitions itself, also after a restart, because the server
// would refuse the whole batch.
func TestStoredIDsAreNotSent(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	_, err := log.AppendBatch(t.Context(), []eventlog.Entry{syncEntry("a"), syncEntry("b")})
	require.NoError(t, err)
	require.NoError(t, log.Close())
	log = openEmbedded(t, dir)
	defer func() { require.NoError(t, log.Close()) }()
	<-log.idsLoaded
	other := syncEntry("b")
	other.Digest = "another"
	results := appendAsGroup(t, log, append([]eventlog.Entry{syncEntry("a"), other}, numbered(minGroup)...)...)
	require.Equal(t, []result{{ack: eventlog.Ack{Seq: 1, Duplicate: true}}, {err: eventlog.ErrConflict},
		{ack: eventlog.Ack{Seq: 3}}}, results[:3])
	ids := batchIDs(t, log)
	require.NotEmpty(t, ids[2])
	require.Equal(t, slices.Repeat(ids[2:3], minGroup), ids[2:])
}

// TestRefusedGroupIsStoredOneByOne appends groups that the server refuses, because
// it has an id of which the log does not know.
func TestRefusedGroupIsStoredOneByOne(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	other := syncEntry("x")
	other.Digest = "another"
	storeUnknown(t, log, syncEntry("x"))
	storeUnknown(t, log, syncEntry("y"))
	log.noteHead(2) // as if a later record proved that both are on the disk
	results := appendAsGroup(t, log, append([]eventlog.Entry{syncEntry("y"), other}, numbered(minGroup)...)...)
	require.Equal(t, []result{{ack: eventlog.Ack{Seq: 2, Duplicate: true}}, {err: eventlog.ErrConflict}}, results[:2])
	stored := map[uint64]bool{}
	for _, r := range results[2:] {
		require.NoError(t, r.err)
		stored[r.ack.Seq] = true
	}
	require.Len(t, stored, minGroup)

	// A batch is stored up to the conflict, and its error names the entry.
	log.ids.newer = nil
	acks, err := log.AppendBatch(t.Context(), []eventlog.Entry{syncEntry("c"), syncEntry("y"), other, syncEntry("d")})
	var conflict *eventlog.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, []int{2}, conflict.Indexes)
	const last = 2 + minGroup + 1
	require.Equal(t, []eventlog.Ack{{Seq: last}, {Seq: 2, Duplicate: true}}, acks)

	// Readers get all records, also those that the log did not know.
	ctx, cancel := context.WithCancel(t.Context())
	received := uint64(0)
	require.NoError(t, log.Tail(ctx, 0, func(r eventlog.Record) {
		require.Equal(t, received+1, r.Seq)
		if received = r.Seq; received == last {
			cancel()
		}
	}))
}

// TestBatchesAreTurnedOn opens a stream of an earlier version of the broker, which
// had no batches.
func TestBatchesAreTurnedOn(t *testing.T) {
	dir := t.TempDir()
	log := openEmbedded(t, dir)
	epoch := log.Epoch()
	link := log.currentLink()
	config := link.stream.CachedInfo().Config
	config.AllowAtomicPublish = false
	_, err := link.js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	// While a stream takes no batches, the log stores entries one by one.
	for i, r := range appendAsGroup(t, log, numbered(8)...) {
		require.NoError(t, r.err, i)
	}
	require.NoError(t, log.Close())
	log = openEmbedded(t, dir)
	defer func() { require.NoError(t, log.Close()) }()
	require.Equal(t, epoch, log.Epoch())
	_, err = log.AppendBatch(t.Context(), []eventlog.Entry{syncEntry("a"), syncEntry("b")})
	require.NoError(t, err)
	ids := batchIDs(t, log)
	require.Equal(t, make([]string, 8), ids[:8])
	require.NotEmpty(t, ids[8])
	require.Equal(t, ids[8], ids[9])
}

// TestOldServerGetsNoBatches appends to a server without atomic batches. Such a
// server would store the messages of a batch one by one.
func TestOldServerGetsNoBatches(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	log.currentLink().atomic = false // as connect sets it for such a server
	acks, err := log.AppendBatch(t.Context(), []eventlog.Entry{syncEntry("a"), syncEntry("b")})
	require.NoError(t, err)
	require.Equal(t, []eventlog.Ack{{Seq: 1}, {Seq: 2}}, acks)
	ack, err := log.Append(t.Context(), syncEntry("c"))
	require.NoError(t, err)
	require.EqualValues(t, 3, ack.Seq)
	require.Equal(t, []string{"", "", ""}, batchIDs(t, log))
}

// TestTooLargeBatchIsStoredOneByOne appends more entries than the server takes in
// one batch.
func TestTooLargeBatchIsStoredOneByOne(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	acks, err := log.AppendBatch(t.Context(), numbered(maxGroup+1))
	require.NoError(t, err)
	require.Len(t, acks, maxGroup+1)
	require.EqualValues(t, maxGroup+1, acks[maxGroup].Seq)
}

// TestAbandonedAppendIsNotSent cancels an append while it waits for its group.
func TestAbandonedAppendIsNotSent(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	log.writer.active = true // as if a group were being stored
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := log.Append(ctx, syncEntry("a"))
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, log.writer.waiting)
	log.writer.active = false
	require.True(t, log.failingSince.IsZero())
	_, err = log.Append(t.Context(), syncEntry("b"))
	require.NoError(t, err)
	b, err := log.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, b.Last)
}

// A server may know the id of a record whose flush has failed. A repetition of the record must
// not be acknowledged before a later record proves that the flush worked.
func TestUnprovenRecordIsNotAcknowledged(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	defer func() { require.NoError(t, log.Close()) }()
	storeUnknown(t, log, syncEntry("a")) // its answer never reached the log
	_, err := log.Append(t.Context(), syncEntry("a"))
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
	_, err = log.Append(t.Context(), syncEntry("b"))
	require.NoError(t, err)
	ack, err := log.Append(t.Context(), syncEntry("a"))
	require.NoError(t, err)
	require.True(t, ack.Duplicate)
}

// TestClosedLogRefusesAppends appends to a closed log.
func TestClosedLogRefusesAppends(t *testing.T) {
	log := openEmbedded(t, t.TempDir())
	require.NoError(t, log.Close())
	_, err := log.Append(t.Context(), syncEntry("a"))
	require.ErrorIs(t, err, eventlog.ErrUnavailable)
}

// TestRememberedIDsAreBounded checks that ids are forgotten, the oldest first, and
// that an id counts only within the deduplication window.
func TestRememberedIDsAreBounded(t *testing.T) {
	k := ids{window: time.Hour, max: 16}
	record := func(i int, stored time.Time) eventlog.Record {
		return eventlog.Record{Seq: uint64(i), Key: fmt.Sprint(i), Digest: "d", Stored: stored}
	}
	find := func(i int) uint64 {
		seq, err := k.find(syncEntry(fmt.Sprint(i)))
		require.NoError(t, err)
		return seq
	}
	for i := 1; i <= 100; i++ {
		k.add(record(i, time.Now()))
		require.LessOrEqual(t, len(k.newer)+len(k.older), 16)
	}
	require.EqualValues(t, 100, find(100))
	require.EqualValues(t, 93, find(93))
	require.Zero(t, find(80))
	k.add(record(101, time.Now().Add(-time.Hour)))
	require.Zero(t, find(101))
	k.notePurged(100)
	seq, err := k.find(eventlog.Entry{Key: "100", Digest: "another"})
	require.NoError(t, err, "a purged record counts as the same event")
	require.EqualValues(t, 100, seq)
}

// TestOtherBrokersIDsAreLearned checks that Tail of an external log remembers the
// ids that another broker has stored.
func TestOtherBrokersIDsAreLearned(t *testing.T) {
	n := startNATS(t)
	log, other := n.open(t, Config{}), n.open(t, Config{})
	defer func() { require.NoError(t, errors.Join(log.Close(), other.Close())) }()
	_, err := other.AppendBatch(t.Context(), []eventlog.Entry{syncEntry("a"), syncEntry("b"), syncEntry("c")})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, log.Tail(ctx, 0, func(r eventlog.Record) {
		if r.Seq == 3 {
			cancel()
		}
	}))
	results := appendAsGroup(t, log, append([]eventlog.Entry{syncEntry("b")}, numbered(minGroup)...)...)
	require.Equal(t, []result{{ack: eventlog.Ack{Seq: 2, Duplicate: true}}, {ack: eventlog.Ack{Seq: 4}}}, results[:2])
	require.NotEmpty(t, batchIDs(t, log)[4])
}
