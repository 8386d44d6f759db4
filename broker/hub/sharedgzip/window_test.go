package sharedgzip

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWindowStartsAfreshAtFirstOnRequestAndAfter32KB(t *testing.T) {
	for _, compressors := range []int{0, 1} {
		w := newWindow(NewPool(compressors))
		isFresh := func(frames []byte, freshStart bool) bool {
			_, isFreshStart := w.append(nil, frames, freshStart)
			return isFreshStart
		}
		kilobyte := bytes.Repeat([]byte("d"), 1<<10)
		require.True(t, isFresh(kilobyte, false), "the first piece")
		require.False(t, isFresh(kilobyte, false))
		require.True(t, isFresh(kilobyte, true), "on request")
		for range 31 {
			require.False(t, isFresh(kilobyte, false))
		}
		require.True(t, isFresh(kilobyte, false), "after 32 KB")
		require.False(t, isFresh(kilobyte, false))
		w.close()
		require.True(t, isFresh(kilobyte, false), "after close")
	}
}

func TestNoFramesMakeNoPiece(t *testing.T) {
	pool := NewPool(1)
	w := newWindow(pool)
	before := []byte("before")
	piece, isFreshStart := w.append(before, nil, true)
	require.Equal(t, before, piece)
	require.False(t, isFreshStart)
	require.Equal(t, before, pool.appendStandAlone(before, nil))
}

func TestPiecesAreAppended(t *testing.T) {
	for _, compressors := range []int{0, 1} {
		pool := NewPool(compressors)
		piece, _ := newWindow(pool).append([]byte("before"), []byte("data: x\n\n"), false)
		require.Equal(t, "before", string(piece[:6]))
		require.Greater(t, len(piece), 6)
		require.Equal(t, "before", string(pool.appendStandAlone([]byte("before"), []byte("data: x\n\n"))[:6]))
	}
}

func TestPoolLimitsCompressors(t *testing.T) {
	frames := []byte("data: x\n\n")
	pool := NewPool(2)
	windows := make([]*window, 3)
	for i := range windows {
		windows[i] = newWindow(pool)
		windows[i].append(nil, frames, false)
	}
	require.NotNil(t, windows[0].compressor)
	require.NotNil(t, windows[1].compressor)
	require.Nil(t, windows[2].compressor)

	windows[0].close()
	windows[0].close()
	windows[2].append(nil, frames, false)
	require.Nil(t, windows[2].compressor, "it waits for a fresh start")
	windows[2].append(nil, frames, true)
	require.NotNil(t, windows[2].compressor)
	windows[0].append(nil, frames, true)
	require.Nil(t, windows[0].compressor)
}

func TestWindowWithoutACompressorKeepsItsLast4KB(t *testing.T) {
	w := newWindow(NewPool(0))
	var all []byte
	for i := range 200 {
		frames := bytes.Repeat([]byte{byte(i)}, 1+i*i%6000)
		w.append(nil, frames, all == nil)
		all = append(all, frames...)
		if w.sinceFresh == len(frames) {
			all = frames
		}
		require.Equal(t, all[max(0, len(all)-historySize):], w.history)
		require.LessOrEqual(t, cap(w.history), 2*historySize)
	}
}

// The goal is 100 bytes for each event of 455.
func TestDemoEventsAreSmallInAWindow(t *testing.T) {
	frames := demoFrames(t, 2000)
	for compressors, limit := range []int{0: 120, 1: 80} {
		require.LessOrEqual(t, bytesPerFrame(NewPool(compressors), frames, false), limit)
	}
	require.LessOrEqual(t, bytesPerFrame(NewPool(1), frames, true), 310)
}

// bytesPerFrame returns the mean size of a piece that has one frame.
func bytesPerFrame(pool *Pool, frames [][]byte, freshStarts bool) int {
	w := newWindow(pool)
	total := 0
	for _, frame := range frames {
		piece, _ := w.append(nil, frame, freshStarts)
		total += len(piece)
	}
	return total / len(frames)
}

func TestRandomBytesGrowAtMostAsStated(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		frames := make([]byte, 1+random.IntN(200_000))
		for i := range frames {
			frames[i] = byte(random.Uint32())
		}
		limit := len(frames) + 10 + 5*(len(frames)/(24<<10))
		require.LessOrEqual(t, len(NewPool(0).appendStandAlone(nil, frames)), limit, "%d bytes", len(frames))
	}
}

// Five thousand subscribers who join at once each receive a stand-alone piece. Without the limit of the Pool and its
// goroutine for the stack, they would need 160 MB of stacks alone.
func TestFiveThousandJoinersNeedLittleMemory(t *testing.T) {
	const joiners = 5000
	frames := bytes.Join(demoFrames(t, 3), nil)
	pool := NewPool(0)
	var before, after runtime.MemStats
	start, end := make(chan struct{}), make(chan struct{})
	var called, returned sync.WaitGroup
	for range joiners {
		called.Add(1)
		returned.Go(func() {
			<-start
			pool.appendStandAlone(make([]byte, 0, 1024), frames)
			called.Done()
			<-end
		})
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	close(start)
	called.Wait()
	runtime.ReadMemStats(&after)
	close(end)
	returned.Wait()
	stacks := int64(after.StackInuse) - int64(before.StackInuse)
	heap := int64(after.HeapInuse) - int64(before.HeapInuse)
	t.Logf("%d KB more of stacks, %d KB more of heap", stacks>>10, heap>>10)
	require.Less(t, stacks+heap, int64(20<<20))
}

func TestSumsCombine(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		a := []byte(strings.Repeat("frame", random.IntN(1000)))
		b := make([]byte, random.IntN(10_000))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		sumA, sumB := checksum{}.add(a), checksum{}.add(b)
		both := sumA.add(b)
		require.Equal(t, both, sumA.then(sumB))
		require.Equal(t, sumB, both.since(sumA))
		require.EqualValues(t, len(a)+len(b), both.size)
	}
}

// A stream of months is longer than 4 GB. The exponents of powers then go around.
func TestSumsOfLongStreamsCombine(t *testing.T) {
	megabyte := checksum{}.add(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))
	doubled, oneByOne := megabyte, checksum{}
	for range 16 {
		doubled = doubled.then(doubled)
	}
	for range 1 << 16 {
		oneByOne = oneByOne.then(megabyte)
	}
	require.EqualValues(t, 64<<30, doubled.size)
	require.Equal(t, doubled, oneByOne)
	require.Equal(t, megabyte, doubled.then(megabyte).since(doubled))
}
