package sharedgzip

import "time"

// A Reader is the compression side of one connection. It holds 80 bytes. Only one goroutine at a time may call its
// methods. The caller sends [AppendHeader] first, then the pieces that the methods return, in order. It must call
// Close at the end, however the connection ends.
type Reader struct {
	pool *Pool
	own  checksum // of all frames, without those of log since joined
	log  *Log     // nil while the Reader takes part in no Log
	// Of log's window, before the first and after the last piece that the Reader has taken.
	joined, last checksum
	next         int64 // offset of the next frames in log
}

// NewReader returns a Reader.
func NewReader(pool *Pool) *Reader { return &Reader{pool: pool} }

// AppendOwn appends a piece of frames that only this connection receives.
func (r *Reader) AppendOwn(dst, frames []byte) []byte {
	if len(frames) == 0 {
		return dst
	}
	r.leave()
	r.own = r.own.add(frames)
	return r.pool.appendStandAlone(dst, frames)
}

// Shared returns a piece of frames, which begin at offset from in the byte log of l. The Reader takes part in l if it
// can, and otherwise receives the frames in a stand-alone piece. Readers that receive the same frames usually receive
// the same memory, so that the caller can recognise it by its address. The caller must not change the piece.
func (r *Reader) Shared(l *Log, from int64, frames []byte, now time.Time) []byte {
	if len(frames) == 0 {
		return nil
	}
	if r.log != nil && (r.log != l || r.next != from) {
		r.leave()
	}
	isJoining := r.log == nil
	p, ok := l.take(from, frames, !isJoining, now)
	if !ok {
		r.leave()
		r.own = r.own.add(frames)
		return l.standAlone(from, frames)
	}
	piece := p.bytes
	before, after := frames[:p.from-from], frames[p.to-from:]
	if isJoining {
		r.log, r.joined = l, p.before
		if len(before) > 0 {
			r.own = r.own.add(before)
			piece = append(r.pool.appendStandAlone(nil, before), piece...)
		}
	}
	r.last, r.next = p.after, p.to
	return r.AppendOwn(piece, after) // there are frames after p if a splice comes inside the next piece
}

// leave ends the part of the Reader in its Log.
func (r *Reader) leave() {
	if r.log == nil {
		return
	}
	r.log.leave()
	r.own = r.own.then(r.last.since(r.joined))
	r.log = nil
}

// AppendTrailer appends the end of the stream, after which nothing may follow.
func (r *Reader) AppendTrailer(dst []byte) []byte {
	r.leave()
	return appendTrailer(dst, r.own)
}

// Close ends the part of the Reader in its Log. It may be called twice.
func (r *Reader) Close() { r.leave() }
