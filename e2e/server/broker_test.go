package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
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

// loadEvent returns an event with this id as JSON. Every third one changes the status of a rental, the others are
// payments.
func loadEvent(id string, i int) json.RawMessage {
	if i%3 == 0 {
		return fmt.Appendf(
			nil,
			`{"type":"rental_status_updated","id":%q,"data":{"rental_id":%d,"status":%q}}`,
			id,
			1+i%50,
			[]string{"active", "returned"}[i%2],
		)
	}
	const payment = `{"type":"payment_received","id":%q,` +
		`"data":{"payment_id":%q,"rental_id":%d,"amount":1,"payment_method":"cash"}}`
	return fmt.Appendf(nil, payment, id, id, 1+i%9)
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
				body := loadEvent(id, i)
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

	requireAcknowledgedEvents(t, s, acked, last)
}

// requireAcknowledgedEvents reads all events up to the cursor last. The log must have each acknowledged event once, and
// the broker's state must be that of all events.
func requireAcknowledgedEvents(t *testing.T, s *stack.Stack, acked map[string]wire.Cursor, last wire.Cursor) {
	t.Helper()
	manager := s.APIFor("4", 0, access.Manager)
	state, stored := projection.NewState(last.Epoch), map[string]wire.Cursor{}
	for _, f := range readStream(t, manager, "oldest", func(f wire.Frame) bool { return f.ReachedCursor() == last }) {
		if _, isGap := f.(*wire.Gap); isGap {
			t.Fatal("a gap in a complete log")
		}
		if e, ok := f.(*wire.Event); ok {
			require.NotContains(t, stored, e.Event.ID, "doubled")
			require.Equal(t, state.Cursor.Seq+1, e.Cursor.Seq)
			stored[e.Event.ID] = e.Cursor
			state.Apply(e.Event, e.Cursor)
		}
	}
	for id, cursor := range acked {
		require.Equal(t, cursor, stored[id], "acknowledged: %s", id)
	}
	snapshot, err := manager.Snapshot(testkit.Context(t))
	require.NoError(t, err)
	require.Equal(t, last, snapshot.Cursor)
	require.Equal(t, encodeEntities(t, state.Entities()), encodeEntities(t, snapshot.Entities))
	t.Logf("%d acknowledged and %d stored", len(acked), len(stored))
}

// encodeEntities returns the entities of a state as text, for comparison. It sorts the slice.
func encodeEntities(t *testing.T, entities []*projection.Entity) string {
	slices.SortFunc(entities, func(a, b *projection.Entity) int { return strings.Compare(a.Key, b.Key) })
	raw, err := json.Marshal(entities)
	require.NoError(t, err)
	return string(raw)
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
