package hub

import (
	"sync"
	"time"
)

// A clockWatch measures how long the machine's clock has run without a jump.
// The zero value is ready to use. All methods may be called concurrently.
type clockWatch struct {
	mu          sync.Mutex    // guards all below
	started     bool          // true after the first observation
	steadySince time.Duration // process time of the first observation, or of the last jump
	lastRunning time.Duration // process time of the last observation
	lastWall    time.Time     // machine's clock at the last observation
}

// maxDrift is the largest difference between the clock and the passed time,
// between two observations, that counts as steady. A time service that corrects
// the clock in small steps stays below it.
const maxDrift = time.Minute

// steadyFor observes the machine's clock, and returns how long it has run
// steadily. running is the time since the start of the process, by a clock that
// never jumps.
func (c *clockWatch) steadyFor(wall time.Time, running time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall = wall.Round(0) // removes the monotonic reading, which does not jump
	drift := wall.Sub(c.lastWall) - (running - c.lastRunning)
	if !c.started || drift.Abs() > maxDrift {
		c.steadySince = running
	}
	c.started, c.lastRunning, c.lastWall = true, running, wall
	return running - c.steadySince
}

// trustClockAfter is how long the clock must have run steadily before the hub
// purges much of the log, or forgets closed entities, by the time of the clock.
const trustClockAfter = time.Hour

// clockSteadyFor returns how long the hub has seen the clock run steadily.
func (h *Hub) clockSteadyFor(now time.Time) time.Duration {
	return h.clock.steadyFor(now, time.Since(h.started))
}
