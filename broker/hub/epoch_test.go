package hub

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// A restoredLog is a log that continues under another epoch.
type restoredLog struct {
	eventlog.Log
	epoch     string
	ancestors []eventlog.Ancestor
}

func (r restoredLog) Epoch() string                  { return r.epoch }
func (r restoredLog) Ancestors() []eventlog.Ancestor { return r.ancestors }

// TestStateSurvivesANewEpoch restores a log under a new epoch. The state must
// still contain what purged events changed.
func TestStateSurvivesANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New("k", time.Hour)
		manager := grant(t, "1", 0, access.Manager)
		ctx, cancel := context.WithCancel(t.Context())
		h := New(Config{Log: log})
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		<-h.Ready()
		publish(t, h, 0)
		time.Sleep(time.Hour)
		publish(t, h, 4)
		require.NoError(t, h.Save(t.Context()))
		require.NoError(t, h.Purge(t.Context(), time.Minute))
		cancel()
		require.NoError(t, <-done)

		after := restoredLog{log, "l", []eventlog.Ancestor{{Epoch: "k", Through: 2}}}
		h = startHub(t, after, Config{})
		s, err := h.Snapshot(t.Context(), manager)
		require.NoError(t, err)
		require.Equal(t, "2", s.Figures["active_rentals"].String())
		require.Equal(t, wire.Cursor{Epoch: "l", Seq: 2}, s.Cursor)
		publish(t, h, 8)
		require.NoError(t, h.Save(t.Context()))
		b, err := loadBlobIndex(t.Context(), log, checkpointKey)
		require.NoError(t, err)
		require.Equal(t, "l", b.Epoch)
	})
}

// TestCheckpointOfLostBranchIsIgnored restores a log that lacks the last
// records of the checkpoint. The hub must neither use the checkpoint, nor keep
// it instead of the next one, nor purge the log by it.
func TestCheckpointOfLostBranchIsIgnored(t *testing.T) {
	log := memlog.New("k", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	h := New(Config{Log: log})
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	for i := range 4 {
		publish(t, h, 4*i)
	}
	cancel()
	require.NoError(t, <-done)
	lost, err := loadBlob(t.Context(), log, checkpointKey)
	require.NoError(t, err)

	other := memlog.New("k", time.Hour) // a restored log: two records, and a newer checkpoint
	first := startHub(t, other, Config{})
	publish(t, first, 0)
	publish(t, first, 4)
	require.NoError(t, saveBlob(t.Context(), other, checkpointKey, lost, wire.Cursor{Epoch: "k", Seq: 4}))
	after := restoredLog{other, "l", []eventlog.Ancestor{{Epoch: "k", Through: 2}}}
	h = startHub(t, after, Config{})
	require.NoError(t, h.Purge(t.Context(), 0))
	b, err := other.Bounds(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, b.First, "no checkpoint includes the records")
	s, err := h.Snapshot(t.Context(), grant(t, "1", 0, access.Manager))
	require.NoError(t, err)
	require.Equal(t, "2", s.Figures["active_rentals"].String())
	require.NoError(t, h.Save(t.Context()))
	saved, err := loadBlobIndex(t.Context(), other, checkpointKey)
	require.NoError(t, err)
	require.EqualValues(t, 2, saved.Version)
}

// TestCursorAheadOfLogIsLogged sends cursors that this log has not reached. The
// hub must log a warning, but at most one a minute.
func TestCursorAheadOfLogIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		h := startHub(t, memlog.New("k", time.Hour), Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		publish(t, h, 0)
		manager := grant(t, "1", 0, access.Manager)
		subscribeAt := func(epoch string, seq uint64) {
			s, err := h.Subscribe(t.Context(), Request{Grant: manager, After: &wire.Cursor{Epoch: epoch, Seq: seq}})
			require.NoError(t, err)
			s.Leave()
		}
		count := func() int { return strings.Count(lines.String(), "--new-epoch") }
		subscribeAt("k", 1)
		subscribeAt("other", 9)
		require.Zero(t, count())
		subscribeAt("k", 2)
		_, err := h.History(t.Context(), HistoryRequest{Grant: manager, After: &wire.Cursor{Epoch: "k", Seq: 3},
			Limit: 1})
		require.NoError(t, err)
		require.Equal(t, 1, count())
		time.Sleep(aheadWarningInterval)
		_, err = h.History(t.Context(), HistoryRequest{Grant: manager, After: &wire.Cursor{Epoch: "k", Seq: 3},
			Limit: 1})
		require.NoError(t, err)
		require.Equal(t, 2, count())
	})
}
