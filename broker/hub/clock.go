package hub

import (
	"sync"
	"time"
)

// A clockWatch measures for how long the clock of the machine has run without a
// jump. It is safe for concurrent use.
type clockWatch struct {
	mu          sync.Mutex // guards all below
	started     bool
	steadySince time.Duration // of the process, when the clock was first seen or has jumped last
	lastRunning time.Duration // of the process, at the last look
	lastWall    time.Time     // of the clock, at the last look
}

// maxDrift is the largest difference between the clock and the passed time,
// between two looks. A time service that corrects the clock in small steps stays
// below it.
const maxDrift = time.Minute

// steady looks at the clock, and returns for how long it has run steadily. The
// process has run for so long by a clock that never jumps.
func (c *clockWatch) steadyFor(wall time.Time, running time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall = wall.Round(0) // without the monotonic reading, which does not jump
	drift := wall.Sub(c.lastWall) - (running - c.lastRunning)
	if !c.started || drift.Abs() > maxDrift {
		c.steadySince = running
	}
	c.started, c.lastRunning, c.lastWall = true, running, wall
	return running - c.steadySince
}

// trustClockAfter is how long the clock must have run steadily before much is
// forgotten by it.
const trustClockAfter = time.Hour

// clockSteady is for how long the hub has seen the clock run steadily.
func (h *Hub) clockSteadyFor(now time.Time) time.Duration {
	return h.clock.steadyFor(now, time.Since(h.started))
}
