package sharedgzip

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkWindow measures one piece with one frame of the demo.
func BenchmarkWindow(b *testing.B) {
	frames := demoFrames(b, 5000)
	for _, compressors := range []int{0, 1} {
		b.Run(fmt.Sprintf("compressors=%d", compressors), func(b *testing.B) {
			w := newWindow(NewPool(compressors))
			benchmarkPieces(b, frames, func(dst, frame []byte) []byte {
				piece, _ := w.append(dst, frame, false)
				return piece
			})
		})
	}
	b.Run("fresh starts only", func(b *testing.B) {
		w := newWindow(NewPool(1))
		benchmarkPieces(b, frames, func(dst, frame []byte) []byte {
			piece, _ := w.append(dst, frame, true)
			return piece
		})
	})
}

// BenchmarkStandAlone measures one stand-alone piece with one frame of the demo.
func BenchmarkStandAlone(b *testing.B) {
	pool := NewPool(0)
	benchmarkPieces(b, demoFrames(b, 5000), pool.appendStandAlone)
}

func benchmarkPieces(b *testing.B, frames [][]byte, appendPiece func(dst, frame []byte) []byte) {
	var piece []byte
	plain, compressed := 0, 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		frame := frames[i%len(frames)]
		piece = appendPiece(piece[:0], frame)
		plain += len(frame)
		compressed += len(piece)
	}
	b.ReportMetric(float64(plain)/float64(b.N), "plain-B/frame")
	b.ReportMetric(float64(compressed)/float64(b.N), "wire-B/frame")
}

// BenchmarkSum measures what the end of a connection costs.
func BenchmarkSum(b *testing.B) {
	joined := checksum{crc: 1, size: 123_456_789}
	left := checksum{crc: 2, size: 987_654_321_012}
	own := checksum{crc: 3, size: 1000}
	for b.Loop() {
		own = own.then(left.since(joined))
	}
}

// BenchmarkLog measures what one of a thousand Readers costs that receive the same frame.
func BenchmarkLog(b *testing.B) {
	frames := demoFrames(b, 5000)
	pool := NewPool(1)
	l := NewLog(pool)
	readers := make([]*Reader, 1000)
	for i := range readers {
		readers[i] = NewReader(pool)
	}
	now := time.Unix(0, 0)
	b.ReportAllocs()
	var from int64
	for n := 0; b.Loop(); n++ {
		frame := frames[n/len(readers)%len(frames)]
		readers[n%len(readers)].Shared(l, from, frame, now)
		if n%len(readers) == len(readers)-1 {
			from += int64(len(frame))
		}
	}
}
