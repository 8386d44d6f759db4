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

// checkpointKey is where the folded state is stored, with the log.
const checkpointKey = "checkpoint"

// load takes the stored state, or folds the whole log where none fits.
func (h *Hub) loadState(ctx context.Context) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	at := h.head().Seq
	if at > 0 && at+1 >= bounds.First {
		return nil // Run goes on after a failure of the log
	}
	state, err := h.loadCheckpoint(ctx)
	switch {
	case errors.Is(err, eventlog.ErrUnavailable):
		return err
	case err != nil:
		h.config.Logger.Warn("no usable checkpoint: the state is folded from the oldest kept event", "reason", err)
	case !eventlog.Holds(h.config.Log, state.Cursor.Epoch, state.Cursor.Seq) || state.Cursor.Seq > bounds.Last:
		h.config.Logger.Warn("the checkpoint is of another log: the state is folded from the oldest kept event", "cursor", state.Cursor.String())
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
			h.config.Logger.Error("events are gone that no checkpoint holds: the state is incomplete", "from", state.Cursor.Seq+1, "to", bounds.First-1)
		}
		state.Cursor.Seq = bounds.First - 1
	}
	newest, err := h.newestTime(ctx, bounds)
	if err != nil {
		return err
	}
	state.ClampTimes(newest)
	h.ids.forget()
	h.mu.Lock()
	h.state, h.ring = state, nil
	h.mu.Unlock()
	if at > 0 { // readers were before the jump: they resume by cursor
		h.CloseWhere(wire.ByeRetry, func(*Subscriber) bool { return true })
	}
	return nil
}

// newest is the time by the clock, or that of the newest record where the clock
// is behind it: no time of the state may be much later.
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

// keep stores the state from time to time and once more at the end.
func (h *Hub) runCheckpoints(ctx context.Context) {
	tick := time.NewTicker(h.config.CheckpointInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.trySave(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			h.trySave(last)
			return
		}
	}
}

func (h *Hub) trySave(ctx context.Context) {
	if err := h.Save(ctx); err != nil {
		// The log is not purged past the stored state, so nothing is lost.
		h.config.Logger.Error("the checkpoint could not be stored", "error", err)
	}
}

// HasUnsavedState tells whether there is something for Save to do.
func (h *Hub) HasUnsavedState() bool { return h.head().Seq != h.savedSeq.Load() }

// Save stores the state as it is now, unless it, or a later one of another
// broker on the same log, is stored already.
func (h *Hub) Save(ctx context.Context) error {
	if !h.HasUnsavedState() {
		return nil
	}
	now := h.now()
	// A clock that has jumped ahead makes every closed entity look old.
	trusted := h.config.TrustClock || h.clockSteadyFor(now) >= trustClockAfter
	old, err := eventlog.SeqBefore(ctx, h.config.Log, now.Add(-projection.ClosedRetention))
	if err != nil {
		return err
	}
	h.mu.Lock()
	if trusted {
		h.state.Prune(now, old)
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
