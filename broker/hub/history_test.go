package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// cursors returns the cursors of events.
func cursors(events []event.Event) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.Cursor)
	}
	return out
}

// TestHistoryEqualsStream compares pages of history, forwards and backwards,
// with the stream of the same reader. Both must have the same events in the
// same form.
func TestHistoryEqualsStream(t *testing.T) { overBothWays(t, testHistoryEqualsStream) }

func testHistoryEqualsStream(t *testing.T, subscribe subscribeFunc) {
	const total = 200
	h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 16, Heartbeat: 50 * time.Millisecond})
	for i := range total {
		publish(t, h, i)
	}
	grants := []access.Grant{
		grant(t, "1", 0, access.Manager),
		grant(t, "2", 0, access.Yard),
		grant(t, "3", 3),
		grant(t, "4", 0, access.HR),
		grant(t, "5", 0, access.Service),
	}
	filters := []filter.Filter{
		{},
		{Types: []event.Type{event.TypeSyncProgress}},
		{Subjects: []string{"rental/*"}},
		{Severity: event.Success},
	}
	for _, g := range grants {
		for _, f := range filters {
			var want []event.Event
			r := subscribe(t, h, Request{Grant: g, Filter: f, After: &wire.Cursor{}})
			for done := false; !done; {
				frame := r.next()
				if e, ok := frame.(*wire.Event); ok {
					want = append(want, e.Event)
				}
				done = frame.ReachedCursor().Seq == total
			}
			r.Leave()
			for _, limit := range []int{1, 7, 1000} {
				var forwards, backwards []event.Event
				after := wire.Cursor{}
				for after.Seq < total {
					r := HistoryRequest{Grant: g, Filter: f, After: &after, Limit: limit}
					page, err := h.History(t.Context(), r)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page.Events), limit)
					require.Nil(t, page.Gap)
					require.Greater(t, page.Next.Seq, after.Seq)
					forwards = append(forwards, page.Events...)
					after = page.Next
				}
				before := (*wire.Cursor)(nil)
				for before == nil || before.Seq > 1 {
					r := HistoryRequest{Grant: g, Filter: f, Before: before, Limit: limit}
					page, err := h.History(t.Context(), r)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page.Events), limit)
					backwards = append(page.Events, backwards...)
					before = &page.Previous
				}
				for _, got := range [][]event.Event{forwards, backwards} {
					require.Equal(t, cursors(want), cursors(got), "%v %s by %d", g, f.Key(), limit)
					for i := range got {
						require.Equal(t, string(want[i].AppendJSON(nil)), string(got[i].AppendJSON(nil)))
					}
				}
			}
		}
	}
}

func TestHistoryDeclaresGaps(t *testing.T) {
	log := memlog.New("k", time.Hour)
	h := startHub(t, log, Config{})
	for i := range 20 {
		publish(t, h, 4*i)
	}
	require.NoError(t, log.Purge(t.Context(), 10))
	manager := grant(t, "1", 0, access.Manager)
	for after, to := range map[wire.Cursor]uint64{
		{Epoch: "k", Seq: 3}:  10,
		{Epoch: "z", Seq: 3}:  20,
		{Epoch: "k", Seq: 99}: 20,
	} {
		page, err := h.History(t.Context(), HistoryRequest{Grant: manager, After: &after, Limit: 100, Wait: time.Hour})
		require.NoError(t, err)
		require.Equal(t, &wire.Gap{From: after, To: wire.Cursor{Epoch: "k", Seq: to}}, page.Gap)
		require.Len(t, page.Events, int(20-to))
	}
	before := wire.Cursor{Epoch: "z", Seq: 3}
	page, err := h.History(t.Context(), HistoryRequest{Grant: manager, Before: &before, Limit: 5})
	require.NoError(t, err)
	require.NotNil(t, page.Gap)
	before = wire.Cursor{Epoch: "k", Seq: 4}
	page, err = h.History(t.Context(), HistoryRequest{Grant: manager, Before: &before, Limit: 5})
	require.NoError(t, err)
	require.Empty(t, page.Events, "nothing earlier is kept")
}

func TestLongPollWaitsForVisibleEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, memlog.New("k", time.Hour), Config{})
		publish(t, h, 0)
		yard := grant(t, "2", 0, access.Yard)
		poll := func(after wire.Cursor, wait time.Duration) (HistoryPage, time.Duration) {
			start := time.Now()
			page, err := h.History(t.Context(), HistoryRequest{Grant: yard, After: &after, Limit: 10, Wait: wait})
			require.NoError(t, err)
			return page, time.Since(start)
		}
		page, took := poll(wire.Cursor{Epoch: "k"}, 25*time.Second)
		require.Len(t, page.Events, 1)
		require.Zero(t, took, "a poll with a new event does not wait")

		page, took = poll(page.Next, 25*time.Second)
		require.Empty(t, page.Events)
		require.Equal(t, 25*time.Second, took)

		go func() {
			time.Sleep(time.Second)
			publish(t, h, 1) // a payment, which the yard does not see
			time.Sleep(time.Second)
			publish(t, h, 4)
		}()
		page, took = poll(page.Next, 25*time.Second)
		require.Equal(t, []string{"k-3"}, cursors(page.Events))
		require.Equal(t, 2*time.Second, took)

		go func() {
			time.Sleep(time.Second)
			h.Drain()
		}()
		_, took = poll(page.Next, 25*time.Second)
		require.Equal(t, time.Second, took, "a poll ends when the hub drains")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.History(ctx, HistoryRequest{Grant: yard, After: &page.Next, Limit: 10, Wait: time.Minute})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
