package sharedgzip

import (
	"compress/flate"
	"slices"
)

const (
	// freshStartAfter is the number of bytes of frames after which a window starts afresh by itself.
	freshStartAfter = 32 << 10
	// historySize is how many bytes of its last frames a window without a compressor keeps and refers to. With twice
	// as many its pieces are 8 % smaller on the demo's frames, and take 1.3 times the time.
	historySize = 4 << 10
)

// A window compresses the frames that its readers share. It holds 0.85 MB while it has a compressor of its Pool, and
// up to 8 KB otherwise. Only one goroutine at a time may call its methods.
type window struct {
	pool       *Pool
	compressor *flate.Writer // nil before the first frame, after close, and while the Pool has none left
	history    []byte        // the last frames since the fresh start; only without a compressor
	out        appender      // what compressor writes to
	sinceFresh int           // bytes of frames since the last fresh start
	started    bool          // there has been a fresh start since newWindow or close
	sum        checksum      // of all frames since newWindow
}

// newWindow returns a window. It takes a compressor of the pool at its first frame. If the pool has none left, the
// window tries again at each fresh start. Until then its pieces are some 1.5 times as large and take up to twice the
// time.
func newWindow(pool *Pool) *window { return &window{pool: pool} }

// append appends a piece that has the frames. It reports whether the piece begins with a fresh start. This is so when
// the caller asks for it, at the first piece, and when 32 KB of frames have come since the last fresh start. For no
// frames it appends nothing and returns false.
func (w *window) append(dst, frames []byte, freshStart bool) (piece []byte, isFreshStart bool) {
	if len(frames) == 0 {
		return dst, false
	}
	w.sum = w.sum.add(frames)
	if freshStart || !w.started || w.sinceFresh >= freshStartAfter {
		w.restart()
		isFreshStart = true
	}
	w.sinceFresh += len(frames)
	if w.compressor == nil {
		dst = w.pool.appendStateless(dst, frames, w.history)
		w.remember(frames)
		return dst, isFreshStart
	}
	w.out.bytes = dst
	if _, err := w.compressor.Write(frames); err != nil {
		panic(err) // an appender returns no error
	}
	if err := w.compressor.Flush(); err != nil {
		panic(err)
	}
	dst, w.out.bytes = w.out.bytes, nil
	return dst, isFreshStart
}

// restart makes the next piece refer to nothing before.
func (w *window) restart() {
	if w.compressor == nil {
		w.compressor = w.pool.take()
	}
	if w.compressor != nil {
		w.compressor.Reset(&w.out)
	}
	w.history, w.sinceFresh, w.started = w.history[:0], 0, true
	if w.compressor != nil {
		w.history = nil
	}
}

// remember adds frames to the history.
func (w *window) remember(frames []byte) {
	frames = frames[max(0, len(frames)-historySize):]
	surplus := max(0, len(w.history)+len(frames)-historySize)
	w.history = append(slices.Delete(w.history, 0, surplus), frames...)
}

// close gives the compressor back to the Pool. The caller should call it when the last reader has left. A later append
// begins with a fresh start.
func (w *window) close() {
	if w.compressor != nil {
		w.pool.put(w.compressor)
	}
	w.compressor, w.history, w.started = nil, nil, false
}
