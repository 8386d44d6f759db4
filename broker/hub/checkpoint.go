package hub

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// checkpointKey is the key of the checkpoint in the log's store. The checkpoint
// is the state as compressed JSON, stored as a blob.
const checkpointKey = "checkpoint"

// loadState prepares the state for tailLog. It loads the checkpoint, and starts
// with an empty state when the checkpoint is missing, damaged or of another
// log. When Run goes on after a failure of the log, loadState keeps the present
// state if the log still holds the records after it.
func (h *Hub) loadState(ctx context.Context) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	previous := h.head().Seq
	if previous > 0 && previous+1 >= bounds.First {
		return nil
	}
	state, err := h.startState(ctx, bounds)
	if err != nil {
		return err
	}
	newest, err := h.newestTime(ctx, bounds)
	if err != nil {
		return err
	}
	state.ClampTimes(newest)
	h.mu.Lock()
	old := h.ring
	h.state, h.ring = state, nil
	h.mu.Unlock()
	h.dropFrames(old)
	if previous > 0 {
		// The state jumped over events that the subscribers have not received.
		// They must resume by cursor.
		h.CloseWhere(wire.ByeRetry, func(*Subscriber) bool { return true })
	}
	return nil
}

// startState returns the checkpoint if it fits the log, or an empty state. The
// cursor of the state is never before the oldest kept event.
func (h *Hub) startState(ctx context.Context, bounds eventlog.Bounds) (*projection.State, error) {
	state, err := h.loadCheckpoint(ctx)
	switch {
	case errors.Is(err, eventlog.ErrUnavailable):
		return nil, err
	case err != nil:
		h.config.Logger.Warn("no usable checkpoint: the state is folded from the oldest kept event", "reason", err)
	case !eventlog.Holds(h.config.Log, state.Cursor.Epoch, state.Cursor.Seq) || state.Cursor.Seq > bounds.Last:
		h.config.Logger.Warn("the checkpoint is of another log: the state is folded from the oldest kept event",
			"cursor", state.Cursor.String())
		state = nil
	default:
		h.savedSeq.Store(state.Cursor.Seq)
		state.Cursor.Epoch = h.config.Log.Epoch()
	}
	if state == nil {
		state = projection.NewState(h.config.Log.Epoch())
	}
	if state.Cursor.Seq+1 < bounds.First {
		if bounds.First > 1 {
			h.config.Logger.Error("events are gone that no checkpoint holds: the state is incomplete",
				"from", state.Cursor.Seq+1, "to", bounds.First-1)
		}
		state.Cursor.Seq = bounds.First - 1
	}
	return state, nil
}

// newestTime returns the time by the machine's clock, or the time of the newest
// record when that is later. No time of the state may be much later than it.
func (h *Hub) newestTime(ctx context.Context, bounds eventlog.Bounds) (time.Time, error) {
	now := h.now()
	if bounds.Last < bounds.First {
		return now, nil
	}
	page, err := h.config.Log.Read(ctx, bounds.Last-1, 1, eventlog.Selection{})
	if err != nil {
		return now, err
	}
	if len(page.Records) == 1 && page.Records[0].Stored.After(now) {
		now = page.Records[0].Stored
	}
	return now, nil
}

// loadCheckpoint returns the stored state, or an empty state when there is none.
func (h *Hub) loadCheckpoint(ctx context.Context) (*projection.State, error) {
	packed, err := loadBlob(ctx, h.config.Log, checkpointKey)
	if errors.Is(err, eventlog.ErrNotFound) && !errors.Is(err, errDamagedBlob) {
		return projection.NewState(h.config.Log.Epoch()), nil
	}
	if err != nil {
		return nil, err
	}
	unzip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("hub: checkpoint: %w", err)
	}
	raw, err := io.ReadAll(unzip)
	if err != nil {
		return nil, fmt.Errorf("hub: checkpoint: %w", err)
	}
	var state projection.State
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, err
	}
	return &state, nil
}

// lastSaveTimeout is how long Run waits for its last checkpoint.
const lastSaveTimeout = 2 * time.Second

// runCheckpoints stores the state at the interval of checkpoints, and once more
// when ctx ends.
func (h *Hub) runCheckpoints(ctx context.Context) {
	tick := time.NewTicker(h.config.CheckpointInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.trySave(ctx)
		case <-ctx.Done():
			lastCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveTimeout)
			defer cancel()
			h.trySave(lastCtx)
			return
		}
	}
}

// trySave stores the state, and logs a failure.
func (h *Hub) trySave(ctx context.Context) {
	if err := h.Save(ctx); err != nil {
		// Nothing is lost, because Purge keeps the events after the checkpoint.
		h.config.Logger.Error("the checkpoint could not be stored", "error", err)
	}
}

// HasUnsavedState reports whether the hub has handled records since the last
// checkpoint.
func (h *Hub) HasUnsavedState() bool { return h.head().Seq != h.savedSeq.Load() }

// Save stores a checkpoint of the present state. It does nothing when the log's
// store holds this state already, or a later one of another broker on the same
// log. Save also forgets entities that were closed long ago. Run calls Save by
// itself; after Follow the caller must call it.
func (h *Hub) Save(ctx context.Context) error {
	if !h.HasUnsavedState() {
		return nil
	}
	now := h.now()
	// Without this check a clock that has jumped ahead would make every closed
	// entity look old.
	trusted := h.config.TrustClock || h.clockSteadyFor(now) >= trustClockAfter
	oldSeq, err := eventlog.SeqBefore(ctx, h.config.Log, now.Add(-projection.ClosedRetention))
	if err != nil {
		return err
	}
	h.mu.Lock()
	if trusted {
		h.state.Prune(now, oldSeq)
	}
	state := projection.NewStateFrom(h.state.Cursor, h.state.Entities())
	h.mu.Unlock()
	raw, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("hub: checkpoint: %w", err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(raw); err != nil {
		return fmt.Errorf("hub: checkpoint: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("hub: checkpoint: %w", err)
	}
	if err := saveBlob(ctx, h.config.Log, checkpointKey, packed.Bytes(), state.Cursor); err != nil {
		return err
	}
	h.savedSeq.Store(state.Cursor.Seq)
	return nil
}
