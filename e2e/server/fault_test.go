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
// an event only once that a publisher sends again, and recovers by itself.
func TestFullDiskLosesNoAcknowledgedEvent(t *testing.T) {
	s := stack.Start(t)
	erp := s.APIFor("erp", 0, access.Service)
	publish := func(i int) (wasmclient.Receipt, error) {
		const active = `{"type":"rental_status_updated","id":"e%d","data":{"rental_id":%d,"status":"active"}}`
		return erp.PublishJSON(testkit.Context(t), fmt.Appendf(nil, active, i, i+1))
	}
	waitForReadiness := func(status int) {
		t.Helper()
		waittest.Eventually(t, func() bool {
			answer, err := http.Get(s.URL + "/readyz")
			require.NoError(t, err)
			answer.Body.Close()
			return answer.StatusCode == status
		}, testkit.Soon, 10*time.Millisecond)
	}
	acked := map[string]wire.Cursor{}
	for i := range 20 {
		r, err := publish(i)
		require.NoError(t, err)
		acked[r.ID] = r.Cursor
	}
	// No file may grow beyond a byte. For the broker this is like a full disk.
	s.LimitFiles(1)
	for i := 20; i < 23; i++ {
		_, err := publish(i)
		var refused *wasmclient.Error
		require.ErrorAs(t, err, &refused)
		require.Contains(t, []string{"log_unavailable", "log_full"}, refused.Code)
		require.Positive(t, refused.RetryAfter)
	}
	waitForReadiness(http.StatusInsufficientStorage)
	_, err := publish(20)
	var refused *wasmclient.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "log_full", refused.Code)

	s.LimitFiles(unix.RLIM_INFINITY)
	waitForReadiness(http.StatusOK)
	var last wire.Cursor
	for i := range 25 {
		r, err := publish(i)
		require.NoError(t, err)
		if before, isDuplicate := acked[r.ID]; isDuplicate {
			require.Equal(t, before, r.Cursor)
			require.True(t, r.Duplicate)
		}
		acked[r.ID], last = r.Cursor, r.Cursor
	}
	stored := map[string]wire.Cursor{}
	isLast := func(f wire.Frame) bool { return f.ReachedCursor() == last }
	for _, f := range readStream(t, s.APIFor("4", 0, access.Manager), "oldest", isLast) {
		if e, ok := f.(*wire.Event); ok {
			require.NotContains(t, stored, e.Event.ID)
			stored[e.Event.ID] = e.Cursor
		}
	}
	require.Equal(t, acked, stored)
}
