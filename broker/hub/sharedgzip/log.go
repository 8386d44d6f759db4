package sharedgzip

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// logBuffer is the size of a buffer of a Log, in bytes.
	logBuffer = 16 << 10
	// freshStartPause is the shortest time between two fresh starts that readers wait for.
	freshStartPause = time.Second
)

// A Log compresses the frames of one byte log for its Readers, and keeps the newest pieces. Frames have offsets in the
// byte log. The Log makes a piece when the first Reader asks for its frames. All Readers at the same place then
// receive the same memory.
//
// A Log starts afresh after 32 KB of frames, when no Reader takes part in it, and at most once a second while Readers
// wait for a fresh start. It holds the memory of a window and some 100 KB of pieces. While no Reader takes part
// it holds no compressor. All methods may be called concurrently.
type Log struct {
	pool *Pool

	mu             sync.Mutex // guards the following fields
	window         *window
	buffer         []byte     // ends with the newest piece
	pieces         []logPiece // the newest ones without gaps: those of buffer and of the buffer before
	end            int64      // offset of the frames after the newest piece
	members        int        // number of Readers that take part
	isAwaited      bool       // a Reader waits for a fresh start
	lastFreshStart time.Time

	aloneMu sync.Mutex // guards alone; mu is not taken while it is held, nor the other way round
	alone   logPiece   // the newest stand-alone piece
}

// A logPiece is a piece with the offsets of its frames.
type logPiece struct {
	from, to      int64
	bytes         []byte
	buffer        *byte // the first byte of the buffer that has bytes
	isFreshStart  bool
	before, after checksum // of the window
}

// NewLog returns an empty Log.
func NewLog(pool *Pool) *Log { return &Log{pool: pool, window: newWindow(pool)} }

// take returns what a Reader may take of frames, which begin at offset from, as one piece. It makes a new piece when
// there is none. A Reader that did not take part does so from now on. ok is false when the Reader may take nothing.
func (l *Log) take(from int64, frames []byte, takesPart bool, now time.Time) (p logPiece, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := from + int64(len(frames))
	if start := max(from, l.end); start < to {
		l.extendLocked(start, frames[start-from:], takesPart, now)
	}
	pieces := l.findLocked(from, to, takesPart)
	if len(pieces) == 0 {
		l.isAwaited = true
		return logPiece{}, false
	}
	if !takesPart {
		l.members++
	}
	return joinPieces(pieces), true
}

// extendLocked makes a piece of frames, which begin at offset from. For a Reader that does not take part it does so
// only when the piece is a fresh start, because the Reader could not use another one. The caller must hold l.mu.
func (l *Log) extendLocked(from int64, frames []byte, takesPart bool, now time.Time) {
	isGap := from > l.end // no Reader has asked for the frames in between
	freshStart := isGap || l.members == 0 || l.window.sinceFresh >= freshStartAfter ||
		l.isAwaited && now.Sub(l.lastFreshStart) >= freshStartPause
	if !freshStart && !takesPart {
		return
	}
	if isGap {
		l.pieces = nil
	}
	if len(l.buffer) > 0 && len(l.buffer)+len(frames) > logBuffer {
		current := &l.buffer[0]
		l.pieces = slices.DeleteFunc(l.pieces, func(p logPiece) bool { return p.buffer != current })
		l.buffer = nil
	}
	if l.buffer == nil {
		l.buffer = make([]byte, 0, max(logBuffer, len(frames)+len(frames)/1000+64))
	}
	p := logPiece{from: from, to: from + int64(len(frames)), before: l.window.sum}
	start := len(l.buffer)
	l.buffer, p.isFreshStart = l.window.append(l.buffer, frames, freshStart)
	p.bytes, p.buffer, p.after = l.buffer[start:], &l.buffer[0], l.window.sum
	if p.isFreshStart {
		l.isAwaited, l.lastFreshStart = false, now
	}
	l.pieces, l.end = append(l.pieces, p), p.to
}

// findLocked returns the pieces that a Reader may take of the frames from one offset to another. Those for a Reader
// that takes part begin at from. Those for another Reader begin with a fresh start. The caller must hold l.mu.
func (l *Log) findLocked(from, to int64, takesPart bool) []logPiece {
	first, isExact := slices.BinarySearchFunc(l.pieces, from, func(p logPiece, from int64) int {
		return cmp.Compare(p.from, from)
	})
	if takesPart && !isExact {
		return nil
	}
	for !takesPart && first < len(l.pieces) && !l.pieces[first].isFreshStart {
		first++
	}
	last := first
	for last < len(l.pieces) && l.pieces[last].to <= to {
		last++
	}
	return l.pieces[first:last]
}

// joinPieces returns successive pieces as one. It copies their bytes only if they are in two buffers.
func joinPieces(pieces []logPiece) logPiece {
	joined, last := pieces[0], pieces[len(pieces)-1]
	joined.to, joined.after = last.to, last.after
	size := 0
	for _, p := range pieces {
		size += len(p.bytes)
	}
	if joined.buffer == last.buffer {
		joined.bytes = joined.bytes[:size:size]
		return joined
	}
	joined.bytes = make([]byte, 0, size)
	for _, p := range pieces {
		joined.bytes = append(joined.bytes, p.bytes...)
	}
	return joined
}

// standAlone returns frames as a stand-alone piece. It keeps the newest one, because many Readers may wait for the
// same fresh start.
func (l *Log) standAlone(from int64, frames []byte) []byte {
	l.aloneMu.Lock()
	defer l.aloneMu.Unlock()
	if to := from + int64(len(frames)); l.alone.from != from || l.alone.to != to {
		l.alone = logPiece{from: from, to: to, bytes: l.pool.appendStandAlone(nil, frames)}
	}
	return l.alone.bytes
}

// leave removes a Reader.
func (l *Log) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.members--; l.members == 0 {
		l.window.close()
	}
}
