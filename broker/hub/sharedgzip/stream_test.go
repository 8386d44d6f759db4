package sharedgzip

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/randtest"
)

// A piece is what a reader receives at once, and what the client must make of it.
type piece struct {
	Compressed []byte
	Frames     []byte
}

// A testReader is one connection to a byte log.
type testReader struct {
	*Reader
	pieces []piece
	log    *byteLog
	at     int64 // its offset in log
}

// A byteLog has frames that many readers share.
type byteLog struct {
	*Log
	frames []byte
	ends   []int64 // the offsets where frames end
}

func newTestReader(pool *Pool) *testReader {
	return &testReader{Reader: NewReader(pool), pieces: []piece{{Compressed: AppendHeader(nil)}}}
}

// send gives the reader frames of its own.
func (r *testReader) send(frames []byte) {
	r.pieces = append(r.pieces, piece{r.AppendOwn(nil, frames), frames})
}

// follow gives the reader the frames of its byte log up to an offset.
func (r *testReader) follow(to int64, now time.Time) {
	if r.at == to {
		return
	}
	frames := r.log.frames[r.at:to]
	r.pieces = append(r.pieces, piece{r.Shared(r.log.Log, r.at, frames, now), frames})
	r.at = to
}

// join gives the reader another byte log.
func (r *testReader) join(log *byteLog) { r.log, r.at = log, int64(len(log.frames)) }

// stream ends the stream and returns it.
func (r *testReader) stream() []piece {
	r.send([]byte("event: bye\ndata: {}\n\n"))
	return append(r.pieces, piece{Compressed: r.AppendTrailer(nil)})
}

// randomStreams returns the streams of readers of two byte logs. They join, lag, receive splices, change the byte log
// and leave at random places.
func randomStreams(t *testing.T, seed int64, demo [][]byte) (streams [][]piece) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	now := time.Unix(0, 0)
	pool := NewPool(random.IntN(3))
	logs := []*byteLog{{Log: NewLog(pool)}, {Log: NewLog(pool)}}
	var readers []*testReader
	for range 40 + random.IntN(200) {
		now = now.Add(time.Duration(random.IntN(700)) * time.Millisecond)
		for range random.IntN(3) {
			r := newTestReader(pool)
			readers = append(readers, r)
			r.send([]byte("event: hello\ndata: {}\n\n"))
			if random.IntN(2) == 0 {
				r.send(randomFrames(random, demo, 60)) // a catch-up
			}
			r.join(logs[random.IntN(2)])
		}
		log := logs[random.IntN(2)]
		for range 1 + random.IntN(3) {
			log.frames = append(log.frames, randomFrames(random, demo, 2)...)
			log.ends = append(log.ends, int64(len(log.frames)))
		}
		for _, r := range readers {
			moveRandomly(random, r, demo, logs, now)
		}
		readers = slices.DeleteFunc(readers, func(r *testReader) bool {
			leaves := random.IntN(20) == 0
			if leaves {
				streams = append(streams, r.stream())
			}
			return leaves
		})
	}
	for _, r := range readers {
		streams = append(streams, r.stream())
	}
	require.NotEmpty(t, streams)
	for _, log := range logs {
		require.Zero(t, log.members)
		require.Nil(t, log.window.compressor)
	}
	return streams
}

// moveRandomly lets a reader read, or not, or receive a frame of its own before, in between or after.
func moveRandomly(random *rand.Rand, r *testReader, demo [][]byte, logs []*byteLog, now time.Time) {
	newest := int64(len(r.log.frames))
	switch random.IntN(16) {
	case 0, 1, 2: // it lags
	case 3: // a splice behind any frame that the reader lacks
		ends := slices.DeleteFunc(slices.Clone(r.log.ends), func(end int64) bool { return end < r.at })
		if len(ends) > 0 {
			r.follow(ends[random.IntN(len(ends))], now)
		}
		r.send(randomFrames(random, demo, 1))
	case 4: // a refilter
		if random.IntN(2) == 0 {
			r.send([]byte("event: filter\ndata: {}\n\n"))
		}
		r.join(logs[random.IntN(2)])
	default:
		r.follow(newest, now)
	}
}

// randomFrames returns up to n frames of the demo, or bytes that cannot be compressed.
func randomFrames(random *rand.Rand, demo [][]byte, n int) (frames []byte) {
	if random.IntN(20) == 0 {
		frames = make([]byte, 1+random.IntN(70_000))
		for i := range frames {
			frames[i] = byte(random.Uint32())
		}
		return frames
	}
	first := random.IntN(len(demo) - n)
	return bytes.Join(demo[first:first+1+random.IntN(n)], nil)
}

func TestGoDecodesEveryPieceAtOnce(t *testing.T) {
	demo := demoFrames(t, 500)
	for seed := range randtest.Seeds(20) {
		for _, stream := range randomStreams(t, seed, demo) {
			require.NoError(t, decode(stream), "seed %d", seed)
		}
	}
}

// errStarved is what decode's reader returns when the decoder wants bytes that come with later pieces only.
var errStarved = errors.New("the frames cannot be decoded before the next piece has come")

// decode decodes a stream piece by piece with compress/gzip. The last piece must be the trailer.
func decode(stream []piece) error {
	input := &pieceReader{}
	var decoder *gzip.Reader
	for i, p := range stream {
		input.rest = append(input.rest, p.Compressed...)
		if decoder == nil {
			var err error
			if decoder, err = gzip.NewReader(input); err != nil {
				return err
			}
		}
		frames := make([]byte, len(p.Frames))
		if _, err := io.ReadFull(decoder, frames); err != nil {
			return fmt.Errorf("piece %d: %w", i, err)
		}
		if !bytes.Equal(frames, p.Frames) {
			return fmt.Errorf("piece %d has other frames", i)
		}
	}
	input.isAtEnd = true
	rest, err := io.ReadAll(decoder)
	if err == nil && len(rest) > 0 {
		err = errors.New("there are frames after the last piece")
	}
	return err
}

// A pieceReader reads what has come so far.
type pieceReader struct {
	rest    []byte
	isAtEnd bool
}

func (r *pieceReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && r.isAtEnd {
		return 0, io.EOF
	}
	if len(r.rest) == 0 {
		return 0, errStarved
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// zlibScript decodes the streams of its input, one JSON array a line, piece by piece.
const zlibScript = `
import base64, json, sys, zlib
for line in sys.stdin:
    decoder = zlib.decompressobj(31)
    for number, piece in enumerate(json.loads(line)):
        got = decoder.decompress(base64.b64decode(piece["Compressed"] or ""))
        if got != base64.b64decode(piece["Frames"] or ""):
            sys.exit("piece %d has other frames, or they are not complete at once" % number)
    if not decoder.eof or decoder.unused_data:
        sys.exit("the stream does not end where it should")
print("all decoded")
`

func TestZlibDecodesEveryPieceAtOnce(t *testing.T) {
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "this test needs python3, because its zlib is the one of most clients")
	demo := demoFrames(t, 500)
	var input bytes.Buffer
	for seed := range randtest.Seeds(10) {
		for _, stream := range randomStreams(t, 1000+seed, demo) {
			require.NoError(t, json.NewEncoder(&input).Encode(stream))
		}
	}
	cmd := exec.Command(python, "-c", zlibScript)
	cmd.Stdin = &input
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "all decoded\n", string(out))
}

// The other tests would be worth nothing if a reader could break the rule of the fresh start and receive the right
// frames.
func TestPieceAfterASpliceIsGarbledWithoutAFreshStart(t *testing.T) {
	for _, compressors := range []int{0, 1} {
		pool := NewPool(compressors)
		w := newWindow(pool)
		stream := []piece{{Compressed: AppendHeader(nil)}}
		var sum checksum
		for i, frames := range demoFrames(t, 3) {
			if i == 2 {
				splice := []byte("id: 7\ndata: a splice\n\n")
				stream = append(stream, piece{pool.appendStandAlone(nil, splice), splice})
				sum = sum.add(splice)
			}
			compressed, isFreshStart := w.append(nil, frames, false)
			require.Equal(t, i == 0, isFreshStart)
			stream = append(stream, piece{compressed, frames})
			sum = sum.add(frames)
		}
		require.Error(t, decode(append(stream, piece{Compressed: appendTrailer(nil, sum)})))
	}
}

func TestWrongSumIsRefused(t *testing.T) {
	pool := NewPool(0)
	frames := []byte("data: x\n\n")
	stream := []piece{
		{Compressed: AppendHeader(nil)},
		{pool.appendStandAlone(nil, frames), frames},
		{Compressed: appendTrailer(nil, checksum{}.add(frames))},
	}
	require.NoError(t, decode(stream))
	stream[2].Compressed = appendTrailer(nil, checksum{}.add(frames[1:]))
	require.ErrorIs(t, decode(stream), gzip.ErrChecksum)
	require.ErrorIs(t, decode(stream[:2]), io.ErrUnexpectedEOF, "without a trailer")
}

// FuzzPieces cuts its input into up to 50 equal parts, whose size its first byte gives. It sends them through windows
// with and without a compressor and in stand-alone pieces.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("\x05data: data: data: data: data: data: "))
	f.Add(bytes.Repeat([]byte{200, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 7000))
	pool := NewPool(1)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return
		}
		size, data := 1+int(data[0])*int(data[0]), data[1:]
		windows := []*window{newWindow(pool), newWindow(pool)}
		defer windows[0].close()
		streams := make([][]piece, len(windows)+1)
		for i := range streams {
			streams[i] = []piece{{Compressed: AppendHeader(nil)}}
		}
		var sum checksum
		for n := 0; len(data) > 0 && n < 50; n++ {
			frames := data[:min(size, len(data))]
			data = data[len(frames):]
			sum = sum.add(frames)
			for i, w := range windows {
				compressed, _ := w.append(nil, frames, false)
				streams[i] = append(streams[i], piece{compressed, frames})
			}
			last := len(streams) - 1
			streams[last] = append(streams[last], piece{pool.appendStandAlone(nil, frames), frames})
		}
		for _, stream := range streams {
			require.NoError(t, decode(append(stream, piece{Compressed: appendTrailer(nil, sum)})))
		}
	})
}
