package hub

import (
	"context"
	"slices"
	"sync"
)

// claims are locks by name. A caller asks for several names at once and enters
// the queues of all of them in one step. Therefore two callers never wait for
// each other, and callers get a name in the order in which they asked. The zero
// value is ready to use. All methods may be called concurrently.
type claims struct {
	mu    sync.Mutex          // guards all below
	queue map[string][]*claim // by name, without empty queues
}

// A claim belongs to one caller of acquire. It holds a name while it is the
// first in the name's queue.
type claim struct {
	names     []string
	blockedBy int           // number of names that it does not hold yet
	granted   chan struct{} // closed when it holds all its names
}

// acquire waits until the caller holds all the names. The caller must call
// release to give them back. The error is that of ctx, and then the caller holds
// no name.
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

// remove removes a claim from all its queues, and passes the names that it held
// to the next claims.
func (c *claims) remove(removed *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range removed.names {
		waiting := c.queue[name]
		at := slices.Index(waiting, removed)
		waiting = slices.Delete(waiting, at, at+1)
		if c.queue[name] = waiting; len(waiting) == 0 {
			delete(c.queue, name)
			continue
		}
		if at == 0 { // the next claim holds the name now
			next := waiting[0]
			if next.blockedBy--; next.blockedBy == 0 {
				close(next.granted)
			}
		}
	}
}
