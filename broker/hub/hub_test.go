package hub

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func grant(t testing.TB, user string, employee int64, roles ...access.Role) access.Grant {
	t.Helper()
	g, err := access.NewGrant(user, user, roles, employee)
	require.NoError(t, err)
	return g
}

// startHub starts a hub that serves a log. The hub stops at the end of the
// test.
func startHub(t *testing.T, log eventlog.Log, c Config) *Hub {
	t.Helper()
	c.Log = log
	h := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	<-h.Ready()
	return h
}

// publish stores the i-th event and returns when the hub has handled it. The
// events have four types and different subjects, so that views differ.
func publish(t testing.TB, h *Hub, i int) {
	t.Helper()
	bodies := []string{
		`{"type":"rental_status_updated","id":"%[1]d","data":{"rental_id":%[2]d,"status":"active","customer":"Ann"}}`,
		`{"type":"payment_received","id":"%[1]d","data":{"rental_id":%[2]d,"amount":5,"payment_method":"cash"}}`,
		`{"type":"timesheet_updated","id":"%[1]d",` +
			`"data":{"timesheet_id":%[1]d,"employee_id":%[2]d,"status":"draft","date":"2026-11-23"}}`,
		`{"type":"sync_progress","id":"%[1]d","data":{"sync_id":"s%[2]d","progress":5,"started_by":%[2]d}}`,
	}
	body := fmt.Appendf(nil, bodies[i%len(bodies)], i, 1+i%7)
	_, err := h.Publish(t.Context(), grant(t, "erp", 0, access.Service), body, PublishOptions{})
	require.NoError(t, err)
}

func TestStreamBeginsWithHello(t *testing.T) { overBothWays(t, testStreamBeginsWithHello) }

func testStreamBeginsWithHello(t *testing.T, subscribe subscribeFunc) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	publish(t, h, 0)
	r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager)})
	defer r.Leave()
	hello := r.next().(*wire.Hello)
	require.Equal(t, wire.Cursor{Epoch: "k", Seq: 1}, hello.Head)
	require.Equal(t, wire.Cursor{Epoch: "k", Seq: 1}, hello.Start)
	require.Equal(t, wire.Cursor{Epoch: "k", Seq: 1}, hello.Oldest)
	require.Equal(t, 15*time.Second, hello.Heartbeat)
	require.Equal(t, r.ID, hello.Connection)
	publish(t, h, 4)
	require.Equal(t, []uint64{2}, r.through(2))
}

// expectedSeqs returns the numbers of the events that a reader must receive of
// the first n, computed in the simplest way.
func expectedSeqs(t *testing.T, h *Hub, g access.Grant, f filter.Filter, after, n uint64) []uint64 {
	page, err := h.config.Log.Read(t.Context(), 0, int(n), eventlog.Selection{})
	require.NoError(t, err)
	var seqs []uint64
	for _, r := range page.Records {
		e, err := Decode(r, "k")
		require.NoError(t, err)
		if _, ok := access.Redact(g, e); ok && f.Match(e) && r.Seq > after {
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs
}

// TestStreamsHaveNoHolesOrRepetitions opens streams of many readers at many
// cursors while events are published. Each reader must receive exactly the
// events that it may see, in order, from the log, the ring and its view. Some
// readers are cut off again and again, and resume at the last cursor that they
// received.
func TestStreamsHaveNoHolesOrRepetitions(t *testing.T) {
	overBothWays(t, testStreamsHaveNoHolesOrRepetitions)
}

func testStreamsHaveNoHolesOrRepetitions(t *testing.T, subscribe subscribeFunc) {
	const total = 240
	h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 16, Heartbeat: 50 * time.Millisecond})
	for i := range total / 3 {
		publish(t, h, i)
	}
	readers := []struct {
		g access.Grant
		f filter.Filter
	}{
		{g: grant(t, "1", 0, access.Manager)},
		{g: grant(t, "2", 0, access.Yard)},
		{g: grant(t, "3", 3)},              // receives only splices
		{g: grant(t, "3", 3, access.Yard)}, // receives events of the view and splices
		{g: grant(t, "5", 0, access.Admin, access.HR)},
		{g: grant(t, "6", 0, access.Dispatcher), f: filter.Filter{Subjects: []string{"rental/3", "rental/5"}}},
		// This reader's filter selects few events.
		{g: grant(t, "4", 4, access.HR), f: filter.Filter{Types: []event.Type{event.TypeSyncProgress}}},
	}
	var wg sync.WaitGroup
	for _, r := range readers {
		for _, after := range []uint64{0, 33, total/3 - 10, total / 3} {
			for _, cut := range []int{0, 2, 9} { // frames between two cuts
				wg.Go(func() {
					readAll(t, subscribe, h, r.g, r.f, after, total, cut)
				})
			}
		}
	}
	for i := total / 3; i < total; i++ {
		publish(t, h, i)
	}
	wg.Wait()
	require.Empty(t, h.subscribers)
	require.Empty(t, h.views)
	require.Empty(t, h.persons)
}

// readAll reads a stream up to total, and cuts it off after every cut frames.
func readAll(
	t *testing.T, subscribe subscribeFunc, h *Hub, g access.Grant, f filter.Filter, after, total uint64, cut int,
) {
	var got []uint64
	cursor := wire.Cursor{Epoch: "k", Seq: after}
	for cursor.Seq < total {
		r := subscribe(t, h, Request{Grant: g, Filter: f, After: &cursor})
		for n := 0; cursor.Seq < total && (cut == 0 || n <= cut); n++ {
			frame := r.next()
			if at := frame.ReachedCursor(); at.Seq < cursor.Seq {
				t.Errorf("%v went back from %v to %v", g, cursor, at)
			} else {
				cursor = at
			}
			if e, ok := frame.(*wire.Event); ok {
				got = append(got, e.Cursor.Seq)
			}
			if _, ok := frame.(*wire.Gap); ok {
				t.Errorf("%v: a gap although the log has all events", g)
			}
		}
		r.Leave()
	}
	want := expectedSeqs(t, h, g, f, after, total)
	for len(got) > 0 && got[len(got)-1] > total {
		got = got[:len(got)-1]
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v %v after %d, cut every %d\n got %v\nwant %v", g, f.Key(), after, cut, got, want)
	}
}

func TestStreamsDeclareGaps(t *testing.T) { overBothWays(t, testStreamsDeclareGaps) }

func testStreamsDeclareGaps(t *testing.T, subscribe subscribeFunc) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{Ring: 4})
	for i := range 40 {
		publish(t, h, 4*i)
	}
	require.NoError(t, log.Purge(t.Context(), 10)) // by another broker
	require.NoError(t, h.Purge(t.Context(), time.Hour))
	for _, c := range []struct {
		after    string
		from, to string // of the gap, "" for none
		first    uint64 // the first event, 0 for none
	}{
		{after: "k-10", first: 11},
		{after: "k-9", from: "k-9", to: "k-10", first: 11},
		{after: "k-0", from: "k-0", to: "k-10", first: 11},
		{after: "", first: 11}, // from the oldest
		{after: "k-40"},
		{after: "k-41", from: "k-41", to: "k-40"},
		{after: "other-5", from: "other-5", to: "k-40"},
	} {
		after, err := wire.ParseCursor(c.after)
		require.NoError(t, err)
		r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager), After: &after})
		hello := r.next().(*wire.Hello)
		require.Equal(t, "k-11", hello.Oldest.String())
		if c.from != "" {
			require.Equal(t, after, hello.Start, "a client that is cut off before the gap must be told of it again")
			gap := r.next().(*wire.Gap)
			require.Equal(t, c.from, gap.From.String())
			require.Equal(t, c.to, gap.To.String())
		}
		if c.first != 0 {
			require.Equal(t, c.first, r.next().(*wire.Event).Cursor.Seq, "after %s", c.after)
		}
		r.Leave()
	}
}

// TestPurgeWhileCatchingUpDeclaresGap purges events that a reader has not
// received yet. Its stream must have a gap.
func TestPurgeWhileCatchingUpDeclaresGap(t *testing.T) {
	overBothWays(t, testPurgeWhileCatchingUpDeclaresGap)
}

func testPurgeWhileCatchingUpDeclaresGap(t *testing.T, subscribe subscribeFunc) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{Ring: 1})
	for i := range 2 * catchUpPage {
		publish(t, h, 4*i)
	}
	r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager), After: &wire.Cursor{Epoch: "k"}})
	defer r.Leave()
	require.Len(t, r.through(catchUpPage), catchUpPage)
	require.NoError(t, log.Purge(t.Context(), catchUpPage+50))
	require.IsType(t, &wire.Heartbeat{}, r.next())
	gap := r.next().(*wire.Gap)
	require.Equal(t, [2]uint64{catchUpPage, catchUpPage + 50}, [2]uint64{gap.From.Seq, gap.To.Seq})
	require.EqualValues(t, catchUpPage+51, r.next().(*wire.Event).Cursor.Seq)
}

func TestHeartbeatsKeepQuietStreamsFresh(t *testing.T) {
	overBothWays(t, testHeartbeatsKeepQuietStreamsFresh)
}

func testHeartbeatsKeepQuietStreamsFresh(t *testing.T, subscribe subscribeFunc) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{Heartbeat: 10 * time.Second})
		for _, f := range []filter.Filter{
			{Types: []event.Type{event.TypeSystemNotification}},
			{Subjects: []string{"system/*"}},
		} {
			r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Yard), Filter: f})
			start := time.Now()
			head := r.next().(*wire.Hello).Head.Seq
			go func() { publish(t, h, 4*int(head)) }() // the filter does not select this event
			for n := 1; n <= 3; n++ {
				beat := r.next().(*wire.Heartbeat)
				require.Equal(t, head+1, beat.Cursor.Seq)
			}
			require.LessOrEqual(t, time.Since(start), 40*time.Second)
			require.GreaterOrEqual(t, time.Since(start), 20*time.Second)
			r.Leave()
		}
	})
}

func TestSlowReadersAreClosed(t *testing.T) { overBothWays(t, testSlowReadersAreClosed) }

func testSlowReadersAreClosed(t *testing.T, subscribe subscribeFunc) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{MaxLag: 2000})
		aborted := make(chan struct{})
		slow := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager), Abort: func() { close(aborted) }})
		quick := subscribe(t, h, Request{Grant: grant(t, "2", 0, access.Manager)})
		defer slow.Leave()
		defer quick.Leave()
		slow.next()
		slow.awaitLive(h)
		quick.next()
		quick.through(1)
		quick.awaitLive(h)
		for i := 3; i < 40; i++ { // i is the number of the next event
			publish(t, h, 4*i)
			quick.through(uint64(i))
		}
		<-aborted // by the hub, while nobody calls slow.Next
		_, err := slow.Next(t.Context())
		var closed *ClosedError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, wire.ByeSlow, closed.Bye.Reason)
		publish(t, h, 4*40)
		require.Len(t, quick.through(40), 1)
	})
}

// TestViewsKeepBoundedBytes lets a reader of each of many views lag, each by less
// than MaxLag. All views together must not keep more than MaxViewBytes.
func TestViewsKeepBoundedBytes(t *testing.T) { overBothWays(t, testViewsKeepBoundedBytes) }

func testViewsKeepBoundedBytes(t *testing.T, subscribe subscribeFunc) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{MaxLag: 1 << 20, MaxViewBytes: 1 << 20})
		var slow []*reader
		for _, other := range event.Types[1:] {
			f := filter.Filter{Types: []event.Type{event.TypeRentalStatusUpdated, other}}
			r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager), Filter: f})
			defer r.Leave()
			r.next()
			r.awaitLive(h)
			slow = append(slow, r)
		}
		quick := subscribe(t, h, Request{Grant: grant(t, "2", 0, access.Manager)})
		defer quick.Leave()
		for h.head().Seq < 2000 {
			publish(t, h, 4*int(h.head().Seq+1))
			quick.through(h.head().Seq)
		}
		require.Greater(t, slow[0].lagBytes(), int64(500_000))
		require.Less(t, slow[0].lagBytes(), h.config.MaxLag)
		time.Sleep(2 * time.Second) // the hub looks for readers that lag once a second
		for _, r := range slow {
			require.True(t, r.IsClosed())
		}
		require.False(t, quick.IsClosed())
	})
}

// TestSplicesCountAsLag checks that splices count as lag like the bytes of a
// view.
func TestSplicesCountAsLag(t *testing.T) { overBothWays(t, testSplicesCountAsLag) }

func testSplicesCountAsLag(t *testing.T, subscribe subscribeFunc) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{MaxLag: 2000})
		r := subscribe(t, h, Request{Grant: grant(t, "3", 3)})
		defer r.Leave()
		r.next()
		go func() { // finds the reader waiting in its view
			time.Sleep(time.Millisecond)
			publish(t, h, 2) // a time sheet of employee 3
		}()
		require.EqualValues(t, 1, r.next().ReachedCursor().Seq)
		for i := range 30 {
			publish(t, h, 2+28*(i+1))
		}
		require.Greater(t, r.lagBytes(), h.config.MaxLag)
		r.through(31)
		require.Zero(t, r.lagBytes())
	})
}

// TestLiveStreamOfStartingHubSkipsHistory subscribes to live events in a hub
// that has not caught up. The stream must not have events from before.
func TestLiveStreamOfStartingHubSkipsHistory(t *testing.T) {
	overBothWays(t, testLiveStreamOfStartingHubSkipsHistory)
}

func testLiveStreamOfStartingHubSkipsHistory(t *testing.T, subscribe subscribeFunc) {
	log := memlog.New("k", time.Hour)
	before := startHub(t, log, Config{})
	publish(t, before, 0)
	h := New(Config{Log: log})
	r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager)})
	defer r.Leave()
	require.EqualValues(t, 1, r.next().(*wire.Hello).Start.Seq)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	publish(t, h, 4)
	require.Equal(t, []uint64{2}, r.through(2))
	cancel()
	require.NoError(t, <-done)
}
