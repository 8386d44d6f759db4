package hub

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// muchOfLog is the part of the log, one in so many, beyond which a purge waits
// for a clock that has run steadily.
const largePurgeDivisor = 10

// Purge forgets the events that were stored longer ago than the retention, but
// never one that the stored state does not hold. A purge of more than a tenth
// of the log is put off until the hub has seen the clock run steadily for an
// hour, or for the retention where that is shorter: a clock that has jumped
// ahead makes everything look old.
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
	if count > 0 {
		h.config.Observer.Purged(count)
		h.config.Logger.Info("old events were purged", "events", count, "from", bounds.First, "through", through,
			"older_than", now.Add(-retention).UTC().Format(time.RFC3339))
	}
	return nil
}
