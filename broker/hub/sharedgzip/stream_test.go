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
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/randtest"
)

// A piece is what a reader receives at once, and what the client must make of it.
type piece struct {
	Compressed []byte
	Frames     []byte
}

// A sharedPiece is a piece of a Window.
type sharedPiece struct {
	piece
	isFreshStart bool
	sum          Sum // of the Window after the piece
}

// A testReader is one connection, as a caller keeps it.
type testReader struct {
	pool   *Pool
	pieces []piece
	sum    Sum // of the frames outside the Window, and of those before the reader joined it
	joined Sum // of the Window when the reader joined; only while joined
	last   Sum // of the Window after the piece that the reader took last; only while joined
	isIn   bool
}

// send gives the reader frames in a stand-alone piece.
func (r *testReader) send(frames []byte) {
	if r.isIn {
		r.sum, r.isIn = r.sum.Then(r.last.Since(r.joined)), false
	}
	r.sum = r.sum.Add(frames)
	r.pieces = append(r.pieces, piece{r.pool.AppendStandAlone(nil, frames), frames})
}

// follow gives the reader a piece of a Window, or its frames if it may not take the piece. before is the Window's sum
// before the piece.
func (r *testReader) follow(p sharedPiece, before Sum) {
	if !r.isIn && !p.isFreshStart {
		r.send(p.Frames)
		return
	}
	if !r.isIn {
		r.joined, r.isIn = before, true
	}
	r.last = p.sum
	r.pieces = append(r.pieces, p.piece)
}

// stream returns the pieces of the whole stream.
func (r *testReader) stream() []piece {
	r.send([]byte("event: bye\ndata: {}\n\n"))
	all := append([]piece{{Compressed: AppendHeader(nil)}}, r.pieces...)
	return append(all, piece{Compressed: AppendTrailer(nil, r.sum)})
}

// randomStreams returns the streams of readers of two Windows, who join, receive splices, change the Window and leave
// at random places.
func randomStreams(t *testing.T, seed int64, demo [][]byte) (streams [][]piece) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	pool := NewPool(random.IntN(3))
	windows := [2]*Window{NewWindow(pool), NewWindow(pool)}
	readers := map[*testReader]int{} // the number of its Window
	for range 40 + random.IntN(200) {
		for range random.IntN(3) {
			r := &testReader{pool: pool}
			readers[r] = random.IntN(2)
			r.send([]byte("event: hello\ndata: {}\n\n"))
			if random.IntN(2) == 0 {
				r.send(randomFrames(random, demo, 60)) // a catch-up
			}
		}
		number := random.IntN(2)
		if random.IntN(30) == 0 {
			windows[number].Close()
		}
		frames := randomFrames(random, demo, 1+random.IntN(4))
		before := windows[number].Sum()
		compressed, isFreshStart := windows[number].Append(nil, frames, random.IntN(12) == 0)
		shared := sharedPiece{piece{compressed, frames}, isFreshStart, windows[number].Sum()}
		for r := range readers {
			if readers[r] == number {
				r.follow(shared, before)
			}
			switch random.IntN(20) {
			case 0:
				r.send(randomFrames(random, demo, 1)) // a splice
			case 1:
				readers[r] = 1 - readers[r] // a refilter
				r.send([]byte("event: filter\ndata: {}\n\n"))
			case 2:
				streams = append(streams, r.stream())
				delete(readers, r)
			}
		}
	}
	for r := range readers {
		streams = append(streams, r.stream())
	}
	require.NotEmpty(t, streams)
	return streams
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
	for seed := range randtest.Seeds(30) {
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
	for seed := range randtest.Seeds(20) {
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
		demo := demoFrames(t, 3)
		pool := NewPool(compressors)
		w := NewWindow(pool)
		r := &testReader{pool: pool}
		for i, frames := range demo {
			before := w.Sum()
			compressed, isFreshStart := w.Append(nil, frames, false)
			require.Equal(t, i == 0, isFreshStart)
			if i == 2 {
				r.send([]byte("id: 7\ndata: a splice\n\n"))
				isFreshStart = true // which is not true
			}
			r.follow(sharedPiece{piece{compressed, frames}, isFreshStart, w.Sum()}, before)
		}
		require.Error(t, decode(r.stream()))
	}
}

func TestWrongSumIsRefused(t *testing.T) {
	pool := NewPool(0)
	frames := []byte("data: x\n\n")
	stream := []piece{
		{Compressed: AppendHeader(nil)},
		{pool.AppendStandAlone(nil, frames), frames},
		{Compressed: AppendTrailer(nil, Sum{}.Add(frames))},
	}
	require.NoError(t, decode(stream))
	stream[2].Compressed = AppendTrailer(nil, Sum{}.Add(frames[1:]))
	require.ErrorIs(t, decode(stream), gzip.ErrChecksum)
	require.ErrorIs(t, decode(stream[:2]), io.ErrUnexpectedEOF, "without a trailer")
}

func TestHeaderAndTrailerHaveTheirSizes(t *testing.T) {
	require.Len(t, AppendHeader(nil), HeaderSize)
	require.Len(t, AppendTrailer(nil, Sum{}), TrailerSize)
}

// FuzzPieces cuts its input into up to 50 equal parts, whose size its first byte gives. It sends them through Windows
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
		windows := []*Window{NewWindow(pool), NewWindow(pool)}
		defer windows[0].Close()
		streams := make([][]piece, len(windows)+1)
		for i := range streams {
			streams[i] = []piece{{Compressed: AppendHeader(nil)}}
		}
		var sum Sum
		for n := 0; len(data) > 0 && n < 50; n++ {
			frames := data[:min(size, len(data))]
			data = data[len(frames):]
			sum = sum.Add(frames)
			for i, w := range windows {
				compressed, _ := w.Append(nil, frames, false)
				streams[i] = append(streams[i], piece{compressed, frames})
			}
			last := len(streams) - 1
			streams[last] = append(streams[last], piece{pool.AppendStandAlone(nil, frames), frames})
		}
		for _, stream := range streams {
			require.NoError(t, decode(append(stream, piece{Compressed: AppendTrailer(nil, sum)})))
		}
	})
}
