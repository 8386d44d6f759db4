package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
)

// errLastFrame ends the stream of readStream.
var errLastFrame = errors.New("the last frame was read")

// readStream reads the frames of a stream that resumes after a cursor, up to the first for which isLast returns true.
func readStream(t *testing.T, api wasmclient.API, after string, isLast func(wire.Frame) bool) []wire.Frame {
	t.Helper()
	var frames []wire.Frame
	var decoder wire.Decoder
	_, err := api.Transport.Stream(
		testkit.Context(t),
		wasmclient.Request{Method: "GET", Path: "/api/sse?after=" + after},
		func(piece []byte) (end error) {
			require.NoError(t, decoder.Feed(piece, func(m wire.Message) {
				f, err := wire.ParseMessage(m)
				require.NoError(t, err)
				if end == nil {
					if frames = append(frames, f); isLast(f) {
						end = errLastFrame
					}
				}
			}))
			return end
		},
	)
	if !errors.Is(err, errLastFrame) {
		require.NoError(t, err)
	}
	return frames
}

// A stream that resumes after an event begins with the next event.
func TestStreamResumesAfterAnyEvent(t *testing.T) {
	s := stack.Start(t)
	var cursors []string
	for i := range 20 {
		const completed = `{"type":"rental_status_updated",` +
			`"data":{"rental_id":%d,"status":"completed","notes":"a\nb"}}`
		cursors = append(cursors, s.Publish(fmt.Sprintf(completed, i+1)).Cursor.String())
	}
	manager := s.APIFor("4", 0, access.Manager)
	for _, from := range []int{0, 7, 18} {
		frames := readStream(t, manager, cursors[from], func(f wire.Frame) bool {
			return f.ReachedCursor().String() == cursors[19]
		})
		require.IsType(t, &wire.Hello{}, frames[0])
		var got []string
		for _, f := range frames[1:] {
			got = append(got, f.(*wire.Event).Cursor.String())
		}
		require.Equal(t, cursors[from+1:], got)
	}
}

// When the broker is killed under load again and again, no acknowledged event is missing or doubled, and the state is
// that of all events.
func TestTwentyKillsLoseNoAcknowledgedEvent(t *testing.T) {
	const kills, writers = 20, 4
	s := stack.Start(t)
	var (
		isOver  atomic.Bool // Each writer still publishes the event that it has begun.
		mu      sync.Mutex  // guards acked
		acked   = map[string]wire.Cursor{}
		running sync.WaitGroup
	)
	stored := make(chan struct{}, 1<<20) // a value for each acknowledged event; its size lets no writer wait
	erp := s.APIFor("erp", 0, access.Service)
	for w := range writers {
		running.Go(func() {
			for i := 0; !isOver.Load(); i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				body := testkit.LoadEvent(id, i)
				// The writer repeats an event until the broker acknowledges it, as a back end does.
				for t.Context().Err() == nil {
					r, err := erp.PublishJSON(t.Context(), body)
					if err == nil {
						mu.Lock()
						acked[id] = r.Cursor
						mu.Unlock()
						stored <- struct{}{}
						break
					}
				}
			}
		})
	}
	for range kills {
		for range 1 + rand.IntN(60) {
			<-stored
		}
		s.Kill()
		s.Up()
	}
	isOver.Store(true)
	running.Wait()
	require.Greater(t, len(acked), kills, "there was no load")
	last := s.Publish(
		`{"type":"payment_received","id":"last","data":{"rental_id":1,"amount":1,"payment_method":"cash"}}`,
	).Cursor

	testkit.RequireAcknowledgedEvents(t, s, acked, last)
}

// A rental that is out stays out after its events were purged and the broker was restarted twice.
func TestStateOutlivesPurgedEvents(t *testing.T) {
	s := stack.Start(t, "--retention", "1ms")
	s.Publish(`{"type":"rental_status_updated","data":{"rental_id":1,"status":"active"}}`)
	manager := s.APIFor("4", 0, access.Manager)
	for range 2 {
		s.Stop() // The broker stores the state.
		s.Up()   // The broker purges the events that the state includes.
		hello := func() *wire.Hello {
			return readStream(t, manager, "oldest", func(wire.Frame) bool { return true })[0].(*wire.Hello)
		}
		waittest.Eventually(t, func() bool { return hello().Oldest.Seq == 2 }, testkit.Soon, 10*time.Millisecond)
		require.EqualValues(t, 1, hello().Head.Seq)
		snapshot, err := manager.Snapshot(testkit.Context(t))
		require.NoError(t, err)
		require.Equal(t, "1", snapshot.Figures["active_rentals"].String())
	}
}

// When the broker stops, it sends each stream a bye that asks the reader to come back. The process ends within five
// seconds, even when a reader reads nothing.
func TestStopEndsStreamsWithinFiveSeconds(t *testing.T) {
	s := stack.Start(t)
	manager := s.APIFor("4", 0, access.Manager)
	opened, ended := make(chan struct{}), make(chan *wire.Bye, 1)
	go func() {
		var once sync.Once
		frames := readStream(t, manager, "oldest", func(wire.Frame) bool {
			once.Do(func() { close(opened) })
			return false
		})
		bye, _ := frames[len(frames)-1].(*wire.Bye)
		ended <- bye
	}()
	<-opened
	unread := testkit.OpenUnreadStream(t, s)
	took := s.Stop()
	require.Less(t, took, 5*time.Second)
	bye := <-ended
	require.NotNil(t, bye)
	require.Equal(t, wire.ByeDrain, bye.Reason)
	unread.Close()
}

// The broker accepts the example of each event type without a warning.
func TestBrokerAcceptsEachExample(t *testing.T) {
	s := stack.Start(t)
	erp := s.APIFor("erp", 0, access.Service)
	for _, typ := range event.Types {
		r, err := erp.Publish(testkit.Context(t), event.Example(typ))
		require.NoError(t, err, typ)
		require.Empty(t, r.Warnings, typ)
	}
}
