package hub

import (
	"sync"
	"time"
)

// A clockWatch measures for how long the clock of the machine has run without a
// jump. It is safe for concurrent use.
type clockWatch struct {
	mu    sync.Mutex // guards all below
	begun bool
	since time.Duration // of the process, when the clock was first seen or has jumped last
	last  time.Duration // of the process, at the last look
	wall  time.Time     // of the clock, at the last look
}

// maxDrift is the largest difference between the clock and the passed time,
// between two looks. A time service that corrects the clock in small steps stays
// below it.
const maxDrift = time.Minute

// steady looks at the clock, and returns for how long it has run steadily. The
// process has run for so long by a clock that never jumps.
func (c *clockWatch) steady(wall time.Time, running time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall = wall.Round(0) // without the monotonic reading, which does not jump
	drift := wall.Sub(c.wall) - (running - c.last)
	if !c.begun || drift.Abs() > maxDrift {
		c.since = running
	}
	c.begun, c.last, c.wall = true, running, wall
	return running - c.since
}

// trustClockAfter is how long the clock must have run steadily before much is
// forgotten by it.
const trustClockAfter = time.Hour

// clockSteady is for how long the hub has seen the clock run steadily.
func (h *Hub) clockSteady(now time.Time) time.Duration {
	return h.clock.steady(now, time.Since(h.started))
}
