package fanout

import (
	"runtime/debug"
	"sync"
	"time"
)

// A crowd notices when many streams have started one after the other, as after a
// restart, and gives the memory of their requests back to the system. The
// handshake of a stream takes some ten times as much memory as the stream. Go
// gives unused memory back slowly, and keeps as much again as is in use.
//
// The zero value is ready to use. All methods may be called concurrently.
type crowd struct {
	mu      sync.Mutex // guards all below
	started int        // streams that have started since the last release
	last    time.Time  // when the last stream has started
	timer   *time.Timer
}

const (
	crowdSize  = 1000            // streams that make a crowd
	crowdPause = 2 * time.Second // a crowd is over when no stream has started for so long
)

// count counts a stream that starts.
func (c *crowd) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	if c.started++; c.started >= crowdSize && c.timer == nil {
		c.timer = time.AfterFunc(crowdPause, c.release)
	}
}

// release gives memory back if the crowd is over, and waits otherwise.
func (c *crowd) release() {
	c.mu.Lock()
	if c.timer == nil { // stop was called
		c.mu.Unlock()
		return
	}
	if left := crowdPause - time.Since(c.last); left > 0 {
		c.timer.Reset(left)
		c.mu.Unlock()
		return
	}
	c.started, c.timer = 0, nil
	c.mu.Unlock()
	debug.FreeOSMemory()
}

// stop ends the timer.
func (c *crowd) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}
