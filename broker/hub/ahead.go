package hub

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/shared/wire"
)

// aheadEvery is how often cursors ahead of the log are logged.
const aheadWarningInterval = time.Minute

// newAhead limits the log lines of warnAhead.
func newAheadWarning() *rate.Sometimes {
	return &rate.Sometimes{First: 1, Interval: aheadWarningInterval}
}

// warnAhead logs a place of this epoch that the log has not reached. A client
// cannot have it from this log unless the log went back.
func (h *Hub) warnAhead(at *wire.Cursor, last uint64) {
	if at == nil || at.Epoch != h.config.Log.Epoch() || at.Seq <= last {
		return
	}
	h.aheadWarning.Do(func() {
		h.config.Logger.Warn("a client names a place that the log has not reached: if the log was put back from a backup "+
			"or an image, "+
			"start the broker once with --new-epoch, or readers may miss events", "cursor", at.String(), "last", last)
	})
}
