package hub

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// TestCheckpointOutlivesTheEvents purges events and restarts the hub. The state
// must still contain what the purged events changed.
func TestCheckpointOutlivesTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New("k", time.Hour)
		manager := grant(t, "1", 0, access.Manager)
		active := func(h *Hub) string {
			s, err := h.Snapshot(t.Context(), manager)
			require.NoError(t, err)
			return s.Figures["active_rentals"].String()
		}
		ctx, cancel := context.WithCancel(t.Context())
		h := New(Config{Log: log})
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		<-h.Ready()
		publish(t, h, 0) // rental 1
		publish(t, h, 8) // rental 2
		time.Sleep(3 * time.Hour)
		publish(t, h, 12) // rental 6, now
		require.NoError(t, h.Save(t.Context()))
		require.NoError(t, h.Purge(t.Context(), time.Hour))
		b, err := log.Bounds(t.Context())
		require.NoError(t, err)
		require.Equal(t, eventlog.Bounds{First: 3, Last: 3}, b)
		require.Equal(t, "3", active(h))
		publish(t, h, 16) // rental 3, which only the last checkpoint contains
		cancel()
		require.NoError(t, <-done)
		again := startHub(t, log, Config{})
		require.Equal(t, "4", active(again))
		// The log is never purged past the checkpoint.
		publish(t, again, 20)
		time.Sleep(time.Second)
		require.NoError(t, again.Purge(t.Context(), 0))
		b, err = log.Bounds(t.Context())
		require.NoError(t, err)
		require.Equal(t, eventlog.Bounds{First: 5, Last: 5}, b)
	})
}

// TestHubOvertakenByPurgeLoadsCheckpoint runs a hub whose next records another
// broker has purged. It must load the checkpoint, and close its subscribers.
func TestHubOvertakenByPurgeLoadsCheckpoint(t *testing.T) {
	log := memlog.New("k", time.Hour)
	other := startHub(t, log, Config{})
	for i := range 10 {
		publish(t, other, 4*i)
	}
	h := New(Config{Log: log})
	h.state.Cursor.Seq = 5 // as if Run had stopped there
	s := &Subscriber{hub: h, done: make(chan struct{})}
	h.subscribers[s] = struct{}{}
	require.NoError(t, other.Save(t.Context()))
	require.NoError(t, other.Purge(t.Context(), 0))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	require.EqualValues(t, 10, h.head().Seq)
	require.NotNil(t, h.Entity("rental/1"))
	require.Error(t, s.closeError())
	cancel()
	require.NoError(t, <-done)
}

// TestBlobIsReplacedAsAWhole saves and loads blobs of several parts.
func TestBlobIsReplacedAsAWhole(t *testing.T) {
	store := memlog.New("k", time.Hour)
	_, err := loadBlob(t.Context(), store, "b")
	require.ErrorIs(t, err, eventlog.ErrNotFound)
	value := bytes.Repeat([]byte("0123456789"), 200_000) // four parts
	require.NoError(t, saveBlob(t.Context(), store, "b", value, wire.Cursor{Epoch: "k", Seq: 7}))
	first, err := loadBlobIndex(t.Context(), store, "b")
	require.NoError(t, err)
	require.Equal(t, 4, first.Parts)
	require.NoError(t, saveBlob(t.Context(), store, "b", []byte("older"), wire.Cursor{Epoch: "k", Seq: 6}))
	got, err := loadBlob(t.Context(), store, "b")
	require.NoError(t, err)
	kept, err := loadBlobIndex(t.Context(), store, "b")
	require.NoError(t, err)
	require.EqualValues(t, 7, kept.Version)
	require.True(t, bytes.Equal(value, got))
	require.NoError(t, saveBlob(t.Context(), store, "b", []byte("newer"), wire.Cursor{Epoch: "k", Seq: 8}))
	got, err = loadBlob(t.Context(), store, "b")
	require.NoError(t, err)
	require.Equal(t, "newer", string(got))
	for i := range first.Parts {
		_, err := store.Get(t.Context(), first.partKey("b", i))
		require.ErrorIs(t, err, eventlog.ErrNotFound, "the parts of the old blob are deleted")
	}
	last, err := loadBlobIndex(t.Context(), store, "b")
	require.NoError(t, err)
	require.NoError(t, store.Delete(t.Context(), last.partKey("b", 0)))
	_, err = loadBlob(t.Context(), store, "b")
	require.ErrorIs(t, err, errDamagedBlob)
}

// TestUnusableCheckpointIsIgnored starts hubs with checkpoints that are damaged
// or ahead of the log.
func TestUnusableCheckpointIsIgnored(t *testing.T) {
	for name, stored := range map[string][]byte{"rubbish": []byte("rubbish"), "none": nil} {
		t.Run(name, func(t *testing.T) {
			log := memlog.New("k", time.Hour)
			if stored != nil {
				require.NoError(t, log.Put(t.Context(), checkpointKey, stored, 0))
			}
			h := startHub(t, log, Config{})
			publish(t, h, 0)
			require.NotNil(t, h.Entity("rental/1"))
		})
	}
	// This checkpoint is ahead of the log, as after a restore from a backup.
	log := memlog.New("k", time.Hour)
	h := New(Config{Log: log})
	h.state = projection.NewStateFrom(wire.Cursor{Epoch: "k", Seq: 99}, nil)
	require.NoError(t, h.Save(t.Context()))
	again := startHub(t, log, Config{})
	publish(t, again, 0)
	require.NotNil(t, again.Entity("rental/1"))
}

// TestStreamContinuesSnapshot opens streams at the cursors of snapshots. A
// client that applies the events of its stream to its snapshot must get the
// hub's state.
func TestStreamContinuesSnapshot(t *testing.T) { overBothWays(t, testStreamContinuesSnapshot) }

func testStreamContinuesSnapshot(t *testing.T, subscribe subscribeFunc) {
	h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 8})
	for i := range 100 {
		publish(t, h, i)
	}
	for i, g := range []access.Grant{
		grant(t, "1", 0, access.Manager),
		grant(t, "2", 0, access.Yard),
		grant(t, "3", 3),
		grant(t, "4", 4, access.HR),
	} {
		snapshot, err := h.Snapshot(t.Context(), g)
		require.NoError(t, err)
		state := projection.NewStateFrom(snapshot.Cursor, snapshot.Entities)
		for n := range 30 {
			publish(t, h, 1000*(i+1)+n)
		}
		r := subscribe(t, h, Request{Grant: g, After: &snapshot.Cursor})
		want, err := h.Snapshot(t.Context(), g)
		require.NoError(t, err)
		h.Heartbeat(wire.SSE, wire.JSON)
		for state.Cursor.Seq < want.Cursor.Seq {
			switch f := r.next().(type) {
			case *wire.Event:
				state.Apply(f.Event, f.Cursor)
			case *wire.Heartbeat:
				state.Cursor = f.Cursor
			}
			if state.Cursor.Seq < want.Cursor.Seq {
				h.Heartbeat(wire.SSE, wire.JSON)
			}
		}
		r.Leave()
		require.ElementsMatch(t, want.Entities, state.Entities(), strconv.Itoa(i))
	}
}
