package hub

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// largePurgeDivisor defines a large purge: one of more than a tenth of the log.
const largePurgeDivisor = 10

// Purge removes the events that were stored longer ago than the retention. It
// keeps all events that the checkpoint does not include yet.
//
// A clock that has jumped ahead makes every event look old. Therefore a purge of
// more than a tenth of the log does nothing until the hub has seen the clock run
// steadily for an hour, or for the retention if that is shorter.
// Config.TrustClock disables this wait.
func (h *Hub) Purge(ctx context.Context, retention time.Duration) error {
	now := h.now()
	steady := h.clockSteadyFor(now)
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	through, err := eventlog.SeqBefore(ctx, h.config.Log, now.Add(-retention))
	if err != nil {
		return err
	}
	through = min(through, h.savedSeq.Load())
	var count uint64
	if through >= bounds.First {
		count = through - bounds.First + 1
	}
	kept := bounds.Last + 1 - bounds.First
	wait := min(trustClockAfter, retention) - steady
	if !h.config.TrustClock && count*largePurgeDivisor > kept && wait > 0 {
		h.config.Logger.Warn("a purge of much of the log is put off until the clock has run steadily: "+
			"check the machine's time",
			"events", count, "kept", kept,
			"clock", now.UTC().Format(time.RFC3339), "wait", wait.Round(time.Second))
		return nil
	}
	if err := h.config.Log.Purge(ctx, through); err != nil {
		return err
	}
	h.oldest.Store(max(bounds.First, through+1))
	if count > 0 {
		h.config.Observer.Purged(count)
		h.config.Logger.Info("old events were purged", "events", count, "from", bounds.First, "through", through,
			"older_than", now.Add(-retention).UTC().Format(time.RFC3339))
	}
	return nil
}
