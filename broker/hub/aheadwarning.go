package hub

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/shared/wire"
)

// aheadWarningInterval is the least time between two log lines of warnAhead.
const aheadWarningInterval = time.Minute

// newAheadWarning returns the limit for the log lines of warnAhead.
func newAheadWarning() *rate.Sometimes {
	return &rate.Sometimes{First: 1, Interval: aheadWarningInterval}
}

// warnAhead logs a warning when a client's cursor has the epoch of the log but
// lies after its last record. A client cannot have got such a cursor from this
// log, unless the log went back to an earlier state.
func (h *Hub) warnAhead(at *wire.Cursor, last uint64) {
	if at == nil || at.Epoch != h.config.Log.Epoch() || at.Seq <= last {
		return
	}
	h.aheadWarning.Do(func() {
		h.config.Logger.Warn("a client names a place that the log has not reached: "+
			"if the log was put back from a backup or an image, "+
			"start the broker once with --new-epoch, or readers may miss events", "cursor", at.String(), "last", last)
	})
}
