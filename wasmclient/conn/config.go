package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// Config holds the settings of a machine. They do not change during its life.
type Config struct {
	// Snapshot makes the machine fetch a snapshot before its first stream, and another one after
	// a gap. Defaults to false.
	Snapshot bool

	// Backfill is the number of places in the log before the first snapshot at which the stream
	// begins, so that the history is not empty at first. Defaults to 0. Without Snapshot it has
	// no effect.
	Backfill uint64

	// After is the cursor after which the first stream begins. Zero means live events only. With
	// Snapshot it is the end of the history that the client kept from an earlier run. Zero then
	// means that there is none.
	After wire.Cursor

	// Ladder is the list of transports to try, best first. Defaults to SSE alone.
	Ladder []Transport

	// Random returns a number in [0,1) and spreads the delays of retries. Required.
	Random func() float64
}

const (
	minDelay = time.Second      // least delay of a retry, unless the broker asks for more
	maxDelay = 30 * time.Second // greatest delay of a retry by backoff

	snapshotTimeout = 15 * time.Second
	helloTimeout    = 5 * time.Second // without a hello by then, something buffers the stream

	// deadConnectionTimeout replaces helloTimeout for a transport that worked before: browsers
	// need 10 s to notice that an HTTP/2 connection is dead.
	deadConnectionTimeout = 12 * time.Second

	missedHeartbeats = 3                // a stream is dead after so many heartbeat intervals without a frame
	steadyAfter      = 10 * time.Second // a stream that lived so long ends a row of failures

	// maxEarlyCuts is the number of streams in a row that may end before they are steady; then
	// another transport may do better.
	maxEarlyCuts = 3

	minTrialPause = time.Minute      // pause before a better transport is tried; doubles after each failed round
	maxTrialPause = 15 * time.Minute // greatest such pause

	// maxCatchUp is the greatest number of places between a kept history and the snapshot. If
	// there are more, the history begins anew.
	maxCatchUp = 2000
)

// delay returns the pause before retry n, which counts from 1. It is random between the least
// delay and a bound that doubles with n.
func delay(n int, least time.Duration, random float64) time.Duration {
	bound := min(maxDelay, least<<min(n, 10))
	least = min(least, bound)
	return least + time.Duration(random*float64(bound-least))
}
