package hub

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/wire"
)

// A reader decodes the frames of a subscription.
type reader struct {
	t *testing.T
	*Subscriber
	d      wire.Decoder
	frames []wire.Frame

	woken     chan struct{} // of a polled subscription; nil for one that waits in Next
	stopWatch func()
}

// decode adds the frames of a chunk to r.frames.
func (r *reader) decode(chunk []byte) {
	r.t.Helper()
	if r.format == wire.JSON {
		for line := range bytes.Lines(chunk) {
			f, err := wire.ParseJSON(line)
			require.NoError(r.t, err)
			r.frames = append(r.frames, f)
		}
		return
	}
	require.NoError(r.t, r.d.Feed(chunk, func(m wire.Message) {
		f, err := wire.ParseMessage(m)
		require.NoError(r.t, err)
		r.frames = append(r.frames, f)
	}))
}

// subscribe opens a subscription. The caller must call Leave.
func subscribe(t *testing.T, h *Hub, r Request) *reader {
	t.Helper()
	s, err := h.Subscribe(t.Context(), r)
	require.NoError(t, err)
	return &reader{t: t, Subscriber: s}
}

// A subscribeFunc is like subscribe.
type subscribeFunc func(t *testing.T, h *Hub, r Request) *reader

// overBothWays runs a test over both ways to read a subscription: by Next, and by Poll.
func overBothWays(t *testing.T, test func(t *testing.T, subscribe subscribeFunc)) {
	t.Run("next", func(t *testing.T) { test(t, subscribe) })
	t.Run("poll", func(t *testing.T) { test(t, subscribePolled) })
}

// subscribePolled is like subscribe for a polled subscription.
func subscribePolled(t *testing.T, h *Hub, request Request) *reader {
	t.Helper()
	woken := make(chan struct{}, 1)
	request.Wake = func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	r := subscribe(t, h, request)
	r.woken, r.stopWatch = woken, h.Watch(request.Wake)
	return r
}

// Next is Subscriber.Next for both ways.
func (r *reader) Next(ctx context.Context) ([]byte, error) {
	if r.woken == nil {
		return r.Subscriber.Next(ctx)
	}
	for {
		frames, err := r.Poll()
		if errors.Is(err, ErrBehindRing) {
			frames, err = r.ReadLog(ctx)
		}
		if len(frames) > 0 || err != nil {
			return frames, err
		}
		select {
		case <-r.woken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Leave ends the subscription.
func (r *reader) Leave() {
	if r.stopWatch != nil {
		r.stopWatch()
	}
	r.Subscriber.Leave()
}

// next returns the next frame. It waits up to a minute.
func (r *reader) next() wire.Frame {
	r.t.Helper()
	for len(r.frames) == 0 {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
		chunk, err := r.Next(ctx)
		cancel()
		require.NoError(r.t, err)
		r.decode(chunk)
	}
	f := r.frames[0]
	r.frames = r.frames[1:]
	return f
}

// awaitLive publishes an event while the reader waits in its view, and reads
// it. It needs the virtual time of synctest.
func (r *reader) awaitLive(h *Hub) {
	r.t.Helper()
	seq := h.head().Seq + 1
	go func() {
		time.Sleep(time.Millisecond)
		publish(r.t, h, 4*int(seq))
	}()
	require.Equal(r.t, seq, r.next().(*wire.Event).Cursor.Seq)
}

// through reads up to a number, and returns the numbers of the events.
func (r *reader) through(seq uint64) (seqs []uint64) {
	r.t.Helper()
	for {
		f := r.next()
		if e, ok := f.(*wire.Event); ok {
			seqs = append(seqs, e.Cursor.Seq)
		}
		if f.ReachedCursor().Seq >= seq {
			return seqs
		}
	}
}
