package server

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
)

// While the disk takes no data, the broker asks publishers to come back later. It loses no acknowledged event, stores
// an event once that was sent again, and recovers by itself.
func TestFullDiskLosesNoAcknowledgedEvent(t *testing.T) {
	s := stack.Start(t)
	erp := s.APIFor("erp", 0, access.Service)
	send := func(i int) (wasmclient.Receipt, error) {
		return erp.PublishJSON(
			testkit.Context(t),
			fmt.Appendf(
				nil,
				`{"type":"rental_status_updated","id":"e%d","data":{"rental_id":%d,"status":"active"}}`,
				i,
				i+1,
			),
		)
	}
	ready := func() int {
		answer, err := http.Get(s.URL + "/readyz")
		require.NoError(t, err)
		answer.Body.Close()
		return answer.StatusCode
	}
	acked := map[string]wire.Cursor{}
	for i := range 20 {
		r, err := send(i)
		require.NoError(t, err)
		acked[r.ID] = r.Cursor
	}
	// A file may not grow beyond a byte: to a program this is a full disk.
	s.LimitFiles(1)
	for i := 20; i < 23; i++ {
		_, err := send(i)
		var refused *wasmclient.Error
		require.ErrorAs(t, err, &refused)
		require.Contains(t, []string{"log_unavailable", "log_full"}, refused.Code)
		require.Positive(t, refused.RetryAfter)
	}
	waittest.Eventually(
		t,
		func() bool { return ready() == http.StatusInsufficientStorage },
		testkit.Soon,
		10*time.Millisecond,
	)
	_, err := send(20)
	var refused *wasmclient.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "log_full", refused.Code)

	s.LimitFiles(unix.RLIM_INFINITY)
	waittest.Eventually(t, func() bool { return ready() == http.StatusOK }, testkit.Soon, 10*time.Millisecond)
	var last wire.Cursor
	for i := range 25 {
		r, err := send(i)
		require.NoError(t, err)
		if before, was := acked[r.ID]; was {
			require.Equal(t, before, r.Cursor)
			require.True(t, r.Duplicate)
		}
		acked[r.ID], last = r.Cursor, r.Cursor
	}
	seen := map[string]wire.Cursor{}
	for _, f := range read(t, s.APIFor("4", 0, access.Manager), "oldest", func(f wire.Frame) bool { return f.ReachedCursor() == last }) {
		if e, ok := f.(*wire.Event); ok {
			require.NotContains(t, seen, e.Event.ID)
			seen[e.Event.ID] = e.Cursor
		}
	}
	require.Equal(t, acked, seen)
}
