package sharedgzip

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// read lets a Reader read the frames of a byte log from an offset on.
func read(r *Reader, l *Log, byteLog []byte, from int, now time.Time) []byte {
	return r.Shared(l, int64(from), byteLog[from:], now)
}

func TestReadersAtOnePlaceReceiveTheSameMemory(t *testing.T) {
	frames := bytes.Join(demoFrames(t, 2), nil)
	half := len(demoFrames(t, 1)[0])
	pool := NewPool(1)
	l := NewLog(pool)
	a, b, late := NewReader(pool), NewReader(pool), NewReader(pool)
	now := time.Unix(0, 0)
	first := read(a, l, frames[:half], 0, now)
	require.Same(t, &first[0], &read(b, l, frames[:half], 0, now)[0])
	second := read(a, l, frames, half, now)
	require.Same(t, &second[0], &read(b, l, frames, half, now)[0])

	// Two pieces at once are one piece of memory.
	both := read(late, l, frames, 0, now)
	require.Equal(t, append(bytes.Clone(first), second...), both)
	require.Same(t, &first[0], &both[0])

	// Two readers that wait for a fresh start receive one stand-alone piece.
	third := append(bytes.Clone(frames), "data: x\n\n"...)
	alone := read(NewReader(pool), l, third, len(frames), now)
	require.Same(t, &alone[0], &read(NewReader(pool), l, third, len(frames), now)[0])
}

func TestLogStartsAfreshForThoseWhoWaitOnceASecond(t *testing.T) {
	pool := NewPool(1)
	l := NewLog(pool)
	member := NewReader(pool)
	now := time.Unix(0, 0)
	var byteLog []byte
	// step adds a frame, lets the readers read it, and returns how many of them take part afterwards.
	step := func(readers ...*Reader) int {
		from := len(byteLog)
		byteLog = append(byteLog, "data: x\n\n"...)
		for _, r := range readers {
			read(r, l, byteLog, from, now)
		}
		return l.members
	}
	require.Equal(t, 1, step(member), "at first")
	waiting := []*Reader{member, NewReader(pool), NewReader(pool)}
	require.Equal(t, 1, step(waiting...))
	now = now.Add(freshStartPause - 1)
	require.Equal(t, 1, step(waiting...))
	now = now.Add(1)
	require.Equal(t, 3, step(waiting...), "after a second")
	now = now.Add(time.Hour)
	step(waiting...)
	require.Equal(t, time.Unix(1, 0), l.lastFreshStart, "nobody waits")

	for _, r := range waiting {
		r.Close()
		r.Close()
	}
	require.Zero(t, l.members)
	require.Nil(t, l.window.compressor)
	require.Equal(t, 1, step(waiting[2]), "nobody took part")
}

func TestLogKeepsFewPieces(t *testing.T) {
	frames := demoFrames(t, 2000)
	pool := NewPool(1)
	l := NewLog(pool)
	r := NewReader(pool)
	var byteLog []byte
	compressed := 0
	for _, frame := range frames {
		from := len(byteLog)
		byteLog = append(byteLog, frame...)
		compressed += len(read(r, l, byteLog, from, time.Unix(0, 0)))
		kept := 0
		for _, p := range l.pieces {
			kept += len(p.bytes)
		}
		require.LessOrEqual(t, kept, 2*logBuffer)
		require.LessOrEqual(t, cap(l.buffer), logBuffer+1024)
		require.LessOrEqual(t, cap(l.pieces), 1024)
	}
	require.Less(t, compressed/len(frames), 80)
}

func TestReadersReadConcurrently(t *testing.T) {
	frames := demoFrames(t, 300)
	byteLog := bytes.Join(frames, nil)
	var ends []int
	for end, i := 0, 0; i < len(frames); i++ {
		end += len(frames[i])
		ends = append(ends, end)
	}
	pool := NewPool(1)
	l := NewLog(pool)
	streams := make([][]piece, 8)
	var readers sync.WaitGroup
	for n := range streams {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 0))
			r := NewReader(pool)
			stream := []piece{{Compressed: AppendHeader(nil)}}
			for i, from := 0, 0; i < len(ends); i += 1 + random.IntN(3) {
				stream = append(stream, piece{read(r, l, byteLog[:ends[i]], from, time.Now()), byteLog[from:ends[i]]})
				from = ends[i]
				if random.IntN(50) == 0 {
					own := []byte("data: splice\n\n")
					stream = append(stream, piece{r.AppendOwn(nil, own), own})
				}
			}
			streams[n] = append(stream, piece{Compressed: r.AppendTrailer(nil)})
		})
	}
	readers.Wait()
	for _, stream := range streams {
		require.NoError(t, decode(stream))
	}
	require.Zero(t, l.members)
}
