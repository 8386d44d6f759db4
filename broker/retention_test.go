package broker

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
)

// lines are what a broker logs.
type lines struct {
	mu  sync.Mutex // guards out
	out bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// TestIDsAreForgottenWithTheirEvents: no answer says that something was stored
// before which nobody can read; and the log has a line of each purge.
func TestIDsAreForgottenWithTheirEvents(t *testing.T) {
	defer goleak.VerifyNone(t)
	var said lines
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Retention: 200 * time.Millisecond,
		DedupWindow: time.Hour,
		Logger:      slog.New(slog.NewTextHandler(&said, nil))})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	erp, err := access.NewGrant("erp", "", []access.Role{access.Service}, 0)
	require.NoError(t, err)
	publish := func() hub.Receipt {
		r, err := b.hub.Publish(t.Context(), erp, []byte(`{"type":"sync_progress","id":"a","data":{"progress":1}}`),
			hub.PublishOptions{})
		require.NoError(t, err)
		return r
	}
	first := publish()
	require.Eventually(t, func() bool { return publish().Cursor.Seq > first.Cursor.Seq }, 20*time.Second,
		100*time.Millisecond)
	require.NoError(t, b.hub.Save(t.Context()))
	require.Eventually(t, func() bool {
		return bytes.Contains([]byte(said.String()), []byte("old events were purged"))
	}, 20*time.Second, 50*time.Millisecond, said.String())
	require.Contains(t, said.String(), "ids are remembered as long as events are kept")
	stop()
	require.NoError(t, <-done)
	require.NoError(t, b.Close())
}
