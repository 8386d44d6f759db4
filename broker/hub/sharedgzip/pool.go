package sharedgzip

import (
	"compress/flate"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	stateless "github.com/klauspost/compress/flate"
)

// level is the level of a window's compressor. On the demo's frames, level 3 makes pieces of 74 bytes, and level 6
// pieces of 66 in one and a half times the time.
const level = 3

// A Pool limits the memory of the compressors of many windows, and makes stand-alone pieces.
type Pool struct {
	left  atomic.Int64  // number of compressors that windows may still take
	idle  sync.Pool     // compressors that no window holds; the garbage collector frees them
	calls chan struct{} // has an element for each stand-alone piece that is being made
}

// NewPool returns a Pool of at most the given number of compressors, of 0.85 MB each. 0 means that no window has a
// compressor.
func NewPool(compressors int) *Pool {
	p := &Pool{calls: make(chan struct{}, runtime.GOMAXPROCS(0))}
	p.left.Store(int64(compressors))
	return p
}

// take returns a compressor, or nil when all are in use.
func (p *Pool) take() *flate.Writer {
	if p.left.Add(-1) < 0 {
		p.left.Add(1)
		return nil
	}
	if c, ok := p.idle.Get().(*flate.Writer); ok {
		return c
	}
	c, err := flate.NewWriter(io.Discard, level)
	if err != nil {
		panic(err) // only for a level that does not exist
	}
	return c
}

// put gives a compressor back.
func (p *Pool) put(c *flate.Writer) {
	c.Reset(io.Discard) // so that it does not keep its window in memory
	p.idle.Put(c)
	p.left.Add(1)
}

// appendStandAlone appends a piece that has the frames and refers to nothing before. The piece is at most 10 bytes
// longer than the frames, and 5 bytes more for each 24 KB of them. For no frames it appends nothing. The call
// waits while GOMAXPROCS other calls are at work.
func (p *Pool) appendStandAlone(dst, frames []byte) []byte {
	return p.appendStateless(dst, frames, nil)
}

// appendStateless appends a piece that refers to nothing but history, the bytes that each of its readers has received
// just before.
func (p *Pool) appendStateless(dst, frames, history []byte) []byte {
	if len(frames) == 0 {
		return dst
	}
	// The library needs 16 KB of stack. A goroutine of its own keeps the stacks of thousands of callers small, because
	// its stack is free again when it ends.
	out := appender{dst}
	p.calls <- struct{}{}
	done := make(chan error)
	go func() { done <- stateless.StatelessDeflate(&out, frames, false, history) }()
	err := <-done
	<-p.calls
	if err != nil {
		panic(err) // an appender returns no error
	}
	return out.bytes
}

// An appender is a writer that appends to a slice.
type appender struct{ bytes []byte }

// Write implements io.Writer. It returns no error.
func (a *appender) Write(p []byte) (int, error) {
	a.bytes = append(a.bytes, p...)
	return len(p), nil
}
