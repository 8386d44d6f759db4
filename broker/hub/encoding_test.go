package hub

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/shared/wire"
)

// Twins are two subscribers with the same request, except that one of them
// receives gzip. They are read in step, so that both must receive the same bytes
// after decoding.
type twins struct {
	t             *testing.T
	plain, zipped *Subscriber
	input         pieceReader
	decoder       *gzip.Reader
}

// subscribeTwins opens both subscriptions. The caller must call leave.
func subscribeTwins(t *testing.T, h *Hub, r Request) *twins {
	t.Helper()
	r.ID = NewID() // hello has it
	plain := subscribe(t, h, r)
	r.Gzip = true
	zipped := subscribe(t, h, r)
	return &twins{t: t, plain: plain.Subscriber, zipped: zipped.Subscriber}
}

// leave ends both subscriptions.
func (w *twins) leave() {
	w.plain.Leave()
	w.zipped.Leave()
}

// poll reads one piece. more is false when there was none. The error is a
// *ClosedError.
func (w *twins) poll() (more bool, err error) {
	w.t.Helper()
	frames, err := pollOrRead(w.t.Context(), w.plain)
	piece, zippedErr := pollOrRead(w.t.Context(), w.zipped)
	require.Equal(w.t, fmt.Sprint(err), fmt.Sprint(zippedErr)) // they may have different delays
	w.receive(piece, frames)
	return len(frames) > 0, err
}

// pollOrRead is Poll that reads the log where it must.
func pollOrRead(ctx context.Context, s *Subscriber) ([]byte, error) {
	frames, err := s.Poll()
	if errors.Is(err, ErrBehindRing) {
		return s.ReadLog(ctx)
	}
	return frames, err
}

// refilter changes the filter of both subscriptions. It needs the virtual time of
// synctest.
func (w *twins) refilter(query string) {
	w.t.Helper()
	var answers [2][]byte
	for i, s := range []*Subscriber{w.plain, w.zipped} {
		changed := make(chan error, 1)
		go func() { changed <- s.Refilter(w.t.Context(), parseFilter(w.t, query), "ref") }()
		synctest.Wait() // Refilter waits for Next
		var err error
		answers[i], err = s.Next(w.t.Context())
		require.NoError(w.t, err)
		require.NoError(w.t, <-changed)
	}
	w.receive(answers[1], answers[0])
}

// receive decodes a piece, which must give the frames at once.
func (w *twins) receive(piece, frames []byte) {
	w.t.Helper()
	w.input.rest = append(w.input.rest, piece...)
	if w.decoder == nil {
		if len(piece) == 0 {
			return
		}
		var err error
		w.decoder, err = gzip.NewReader(&w.input)
		require.NoError(w.t, err)
	}
	got := make([]byte, len(frames))
	_, err := io.ReadFull(w.decoder, got)
	require.NoError(w.t, err)
	require.Equal(w.t, string(frames), string(got))
}

// requireEnd ends both streams. With a *ClosedError the end must be clean, without
// one the stream must look cut.
func (w *twins) requireEnd(err error) {
	w.t.Helper()
	var closed *ClosedError
	if errors.As(err, &closed) {
		w.receive(w.zipped.Goodbye(closed), w.plain.Goodbye(closed))
	}
	w.leave()
	w.input.isAtEnd = true
	rest, err := io.ReadAll(w.decoder)
	require.Empty(w.t, rest)
	if closed != nil {
		require.NoError(w.t, err)
	} else {
		require.ErrorIs(w.t, err, io.ErrUnexpectedEOF)
	}
}

// errStarved is what a pieceReader returns when the decoder wants bytes that come
// with later pieces only.
var errStarved = errors.New("the frames cannot be decoded before the next piece has come")

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

// A stream of gzip has the same frames as a plain one, each at once, when readers
// join, catch up, lag, receive splices, change their filter, are closed and leave
// at any place of a window. The broker's goodbye ends it cleanly.
func TestGzipStreamsHaveTheFramesOfPlainOnes(t *testing.T) {
	for seed := range randtest.Seeds(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 0))
			log := memlog.New("k", time.Hour)
			h := startHub(t, log, Config{Ring: 16, Compressors: 1 + random.IntN(3)})
			run := gzipRun{T: t, Rand: random, hub: h, filters: []string{"", "", "types=payment_received,sync_progress",
				"subjects=rental/1", "modules=rental,employee"}}
			for range 150 {
				run.step()
			}
			h.Drain()
			require.NotEmpty(t, run.open)
			for _, w := range run.open {
				w.requireEnd(run.readAll(w))
			}
			require.Empty(t, h.views)
			require.Greater(t, run.spliced, 20)
		})
	}
}

// A gzipRun is one run of TestGzipStreamsHaveTheFramesOfPlainOnes.
type gzipRun struct {
	*testing.T
	*rand.Rand
	hub     *Hub
	filters []string
	open    []*twins
	events  int
	spliced int // number of splices
}

// step lets readers come, publishes up to five events, lets readers read, and ends
// some of them.
func (r *gzipRun) step() {
	r.Helper()
	if r.IntN(3) == 0 && len(r.open) < 12 {
		r.join()
	}
	for range r.IntN(6) {
		publish(r.T, r.hub, r.events)
		r.events++
	}
	if r.IntN(10) == 0 {
		time.Sleep(15 * time.Second) // a heartbeat
	}
	time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
	synctest.Wait()
	r.open = slices.DeleteFunc(r.open, func(w *twins) bool {
		r.spliced += len(w.zipped.splices)
		switch r.IntN(30) {
		case 0:
			w.plain.Close(wire.Bye{Reason: wire.ByeRetry})
			w.zipped.Close(wire.Bye{Reason: wire.ByeRetry})
			w.requireEnd(r.readAll(w))
			return true
		case 1: // it is cut off
			require.NoError(r, r.readAll(w))
			w.requireEnd(nil)
			return true
		case 2:
			if w.plain.refilters != nil {
				w.refilter(r.filters[r.IntN(len(r.filters))])
			}
		case 3, 4, 5, 6, 7, 8: // it lags
		case 9, 10, 11, 12:
			_, err := w.poll()
			require.NoError(r, err)
		default:
			require.NoError(r, r.readAll(w))
		}
		return false
	})
}

// join opens the streams of one more reader.
func (r *gzipRun) join() {
	r.Helper()
	employee := int64(1 + r.IntN(7))
	roles := [][]access.Role{{access.Manager}, {access.Yard}, {}}[r.IntN(3)]
	request := Request{
		Grant:  grant(r.T, fmt.Sprint(employee), employee, roles...),
		Filter: parseFilter(r.T, r.filters[r.IntN(len(r.filters))]),
	}
	if r.IntN(2) == 0 {
		request.After = &wire.Cursor{Epoch: "k", Seq: uint64(r.IntN(r.events + 1))}
	}
	if r.IntN(2) == 0 {
		request.Wake = func() {}
	}
	w := subscribeTwins(r.T, r.hub, request)
	_, err := w.poll()
	require.NoError(r, err)
	r.open = append(r.open, w)
}

// readAll reads until there is nothing more, and returns the reason of an end, or
// nil.
func (r *gzipRun) readAll(w *twins) error {
	r.Helper()
	for {
		if more, err := w.poll(); !more || err != nil {
			return err
		}
	}
}
