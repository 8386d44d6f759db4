package broker

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A receipt must not call an event a duplicate of one that was purged. The log must have
// a line for each purge.
func TestIDsAreForgottenWithTheirEvents(t *testing.T) {
	defer goleak.VerifyNone(t)
	var log syncbuffer.Buffer
	b, stop := start(t, Config{
		Retention:   200 * time.Millisecond,
		DedupWindow: time.Hour,
		Logger:      slog.New(slog.NewTextHandler(&log, nil)),
	})
	erp, err := access.NewGrant("erp", "", []access.Role{access.Service}, 0)
	require.NoError(t, err)
	publish := func() hub.Receipt {
		r, err := b.hub.Publish(t.Context(), erp, []byte(`{"type":"sync_progress","id":"a","data":{"progress":1}}`),
			hub.PublishOptions{})
		require.NoError(t, err)
		return r
	}
	first := publish()
	waittest.Eventually(t, func() bool { return publish().Cursor.Seq > first.Cursor.Seq }, 20*time.Second,
		100*time.Millisecond)
	require.NoError(t, b.hub.Save(t.Context()))
	waittest.Eventually(t, func() bool {
		return strings.Contains(log.String(), "old events were purged")
	}, 20*time.Second, 50*time.Millisecond, &log)
	require.Contains(t, log.String(), "ids are remembered as long as events are kept")
	stop()
}
