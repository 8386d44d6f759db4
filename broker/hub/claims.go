package hub

import (
	"context"
	"slices"
	"sync"
)

// claims are locks by name. A caller gets all the names that it asks for at
// once, in the order in which callers asked, so that two batches never wait
// for each other and nobody waits for ever. The zero value is ready; it is
// safe for concurrent use.
type claims struct {
	mu    sync.Mutex // guards all below
	queue map[string][]*claim
}

// A claim is one caller's. It holds a name once it is the first in its queue.
type claim struct {
	names     []string
	blockedBy int           // names that others hold
	granted   chan struct{} // closed when it holds all its names
}

// acquire waits until the caller holds all the names, and returns how to give
// them back. The error is that of ctx; then the caller holds nothing.
func (c *claims) acquire(ctx context.Context, names ...string) (release func(), err error) {
	slices.Sort(names)
	mine := &claim{names: slices.Compact(names), granted: make(chan struct{})}
	c.mu.Lock()
	if c.queue == nil {
		c.queue = map[string][]*claim{}
	}
	for _, name := range mine.names {
		if c.queue[name] = append(c.queue[name], mine); len(c.queue[name]) > 1 {
			mine.blockedBy++
		}
	}
	if mine.blockedBy == 0 {
		close(mine.granted)
	}
	c.mu.Unlock()
	select {
	case <-mine.granted:
		return func() { c.remove(mine) }, nil
	case <-ctx.Done():
		c.remove(mine)
		return nil, ctx.Err()
	}
}

// leave takes a claim out of all its queues.
func (c *claims) remove(gone *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range gone.names {
		waiting := c.queue[name]
		at := slices.Index(waiting, gone)
		waiting = slices.Delete(waiting, at, at+1)
		if c.queue[name] = waiting; len(waiting) == 0 {
			delete(c.queue, name)
			continue
		}
		if at == 0 { // the next in the queue holds the name now
			next := waiting[0]
			if next.blockedBy--; next.blockedBy == 0 {
				close(next.granted)
			}
		}
	}
}
