package hub

import (
	"context"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// TestRefilterLosesAndRepeatsNothing changes filters at any moment, while
// readers catch up, are live and have splices. The old filter must apply to all
// events up to each change, and the new filter to all events after it.
func TestRefilterLosesAndRepeatsNothing(t *testing.T) {
	filters := []string{
		"",
		"types=payment_received",
		"subjects=rental/1",
		"modules=rental,employee",
		"severity=success",
		"types=timesheet_updated,sync_progress",
	}
	synctest.Test(t, func(t *testing.T) {
		const events = 400
		h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 16})
		grants := []access.Grant{grant(t, "1", 0, access.Manager), grant(t, "2", 2, access.Yard), grant(t, "3", 3)}
		var all sync.WaitGroup
		for i := range 12 {
			g := grants[i%len(grants)]
			r := subscribe(t, h, Request{Grant: g, After: &wire.Cursor{}, Format: wire.JSON})
			reading, ended := context.WithCancel(t.Context())
			all.Go(func() {
				for n := range 6 {
					time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
					f := parseFilter(t, filters[(i+n)%len(filters)])
					require.NoError(t, r.Refilter(reading, f, f.Key()))
				}
			})
			all.Go(func() {
				defer ended()
				defer r.Leave()
				var f filter.Filter
				var got []uint64
				from, changes := uint64(0), 0
				for changes < 6 || from < events {
					switch frame := r.next().(type) {
					case *wire.Event:
						got = append(got, frame.Cursor.Seq)
					case *wire.FilterChanged:
						want := seqsThrough(expectedSeqs(t, h, g, f, from, events), frame.Through.Seq)
						require.Equal(t, want, got, "up to the change to %s", frame.Filter)
						require.Equal(t, frame.Ref, frame.Filter)
						f, got, from, changes = parseFilter(t, frame.Filter), nil, frame.Through.Seq, changes+1
					case *wire.Heartbeat:
						if changes == 6 && frame.Cursor.Seq == events {
							require.Equal(t, expectedSeqs(t, h, g, f, from, events), got)
							return
						}
					}
				}
			})
		}
		for i := range events {
			publish(t, h, i)
			time.Sleep(time.Duration(rand.IntN(2)) * time.Millisecond)
		}
		all.Wait()
		require.Empty(t, h.views)
		require.Empty(t, h.persons)
	})
}

// seqsThrough returns the numbers up to and including through.
func seqsThrough(seqs []uint64, through uint64) []uint64 {
	return append([]uint64(nil), slices.DeleteFunc(seqs, func(s uint64) bool { return s > through })...)
}

// parseFilter returns the filter of a query string.
func parseFilter(t *testing.T, query string) filter.Filter {
	t.Helper()
	q, err := url.ParseQuery(query)
	require.NoError(t, err)
	f, err := filter.Parse(q)
	require.NoError(t, err)
	return f
}

// TestRefilterOfClosedStreamFails checks that Refilter does not wait for a
// reader that has left.
func TestRefilterOfClosedStreamFails(t *testing.T) {
	h := startHub(t, memlog.New("k", time.Hour), Config{})
	r := subscribe(t, h, Request{Grant: grant(t, "1", 0, access.Manager)})
	defer r.Leave()
	r.Close(wire.Bye{Reason: wire.ByeStop})
	var closed *ClosedError
	require.ErrorAs(t, r.Refilter(t.Context(), filter.Filter{}, ""), &closed)
}
