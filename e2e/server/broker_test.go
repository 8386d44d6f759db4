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

var errEnough = errors.New("enough")

// read collects the frames of a stream until enough says so.
func read(t *testing.T, api wasmclient.API, after string, enough func(wire.Frame) bool) []wire.Frame {
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
					if frames = append(frames, f); enough(f) {
						end = errEnough
					}
				}
			}))
			return end
		},
	)
	if !errors.Is(err, errEnough) {
		require.NoError(t, err)
	}
	return frames
}

// A stream that resumes after an event begins with exactly the next one.
func TestStreamResumesAfterAnyEvent(t *testing.T) {
	s := stack.Start(t)
	var cursors []string
	for i := range 20 {
		cursors = append(
			cursors,
			s.Publish(
				fmt.Sprintf(
					`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"completed","notes":"a\nb"}}`,
					i+1,
				),
			).Cursor.String(),
		)
	}
	manager := s.APIFor("4", 0, access.Manager)
	for _, from := range []int{0, 7, 18} {
		frames := read(
			t,
			manager,
			cursors[from],
			func(f wire.Frame) bool { return f.ReachedCursor().String() == cursors[19] },
		)
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
		over  atomic.Bool // each writer finishes what it has begun
		mu    sync.Mutex  // guards acked
		acked = map[string]wire.Cursor{}
		all   sync.WaitGroup
	)
	stored := make(chan struct{}, 1<<20) // an event was acknowledged; the writers never wait for the test
	erp := s.APIFor("erp", 0, access.Service)
	for w := range writers {
		all.Go(func() {
			for i := 0; !over.Load(); i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				body := fmt.Sprintf(
					`{"type":"payment_received","id":%q,"data":{"payment_id":%q,"rental_id":%d,"amount":1,"payment_method":"cash"}}`,
					id,
					id,
					1+i%9,
				)
				if i%3 == 0 {
					body = fmt.Sprintf(
						`{"type":"rental_status_updated","id":%q,"data":{"rental_id":%d,"status":%q}}`,
						id,
						1+i%50,
						[]string{"active", "returned"}[i%2],
					)
				}
				// The same id until it is acknowledged, as a back end would.
				for t.Context().Err() == nil {
					r, err := erp.PublishJSON(t.Context(), json.RawMessage(body))
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
	over.Store(true)
	all.Wait()
	require.Greater(t, len(acked), kills, "there was no load")
	last := s.Publish(
		`{"type":"payment_received","id":"last","data":{"rental_id":1,"amount":1,"payment_method":"cash"}}`,
	).Cursor

	manager := s.APIFor("4", 0, access.Manager)
	state, seen := projection.NewState(last.Epoch), map[string]wire.Cursor{}
	for _, f := range read(t, manager, "oldest", func(f wire.Frame) bool { return f.ReachedCursor() == last }) {
		if _, gap := f.(*wire.Gap); gap {
			t.Fatal("a gap in a whole log")
		}
		if e, ok := f.(*wire.Event); ok {
			require.NotContains(t, seen, e.Event.ID, "doubled")
			require.Equal(t, state.Cursor.Seq+1, e.Cursor.Seq)
			seen[e.Event.ID] = e.Cursor
			state.Apply(e.Event, e.Cursor)
		}
	}
	for id, cursor := range acked {
		require.Equal(t, cursor, seen[id], "acknowledged: %s", id)
	}
	snapshot, err := manager.Snapshot(testkit.Context(t))
	require.NoError(t, err)
	require.Equal(t, last, snapshot.Cursor)
	require.Equal(t, encode(t, state.Entities()), encode(t, snapshot.Entities))
	t.Logf("%d acknowledged and %d stored over %d kills", len(acked), len(seen), kills)
}

// encode is a state as text, for comparison.
func encode(t *testing.T, entities []*projection.Entity) string {
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
		s.Stop() // stores the state
		s.Up()   // forgets what the state holds
		hello := func() *wire.Hello {
			return read(t, manager, "oldest", func(wire.Frame) bool { return true })[0].(*wire.Hello)
		}
		waittest.Eventually(t, func() bool { return hello().Oldest.Seq == 2 }, testkit.Soon, 10*time.Millisecond)
		require.EqualValues(t, 1, hello().Head.Seq)
		snapshot, err := manager.Snapshot(testkit.Context(t))
		require.NoError(t, err)
		require.Equal(t, "1", snapshot.Figures["active_rentals"].String())
	}
}

// When the broker stops, it tells its streams to come back later, and the process ends within five seconds, also when a
// reader does not read.
func TestStopEndsStreamsWithinFiveSeconds(t *testing.T) {
	s := stack.Start(t)
	manager := s.APIFor("4", 0, access.Manager)
	opened, ended := make(chan struct{}), make(chan *wire.Bye, 1)
	go func() {
		var once sync.Once
		frames := read(
			t,
			manager,
			"oldest",
			func(f wire.Frame) bool { once.Do(func() { close(opened) }); return false },
		)
		bye, _ := frames[len(frames)-1].(*wire.Bye)
		ended <- bye
	}()
	<-opened
	silent := testkit.DialDeaf(t, s)
	took := s.Stop()
	require.Less(t, took, 5*time.Second)
	bye := <-ended
	require.NotNil(t, bye)
	require.Equal(t, wire.ByeDrain, bye.Reason)
	silent.Close()
}

func TestBrokerAcceptsEachConstructor(t *testing.T) {
	s := stack.Start(t)
	erp := s.APIFor("erp", 0, access.Service)
	for _, typ := range event.Types {
		r, err := erp.Publish(testkit.Context(t), event.Example(typ))
		require.NoError(t, err, typ)
		require.Empty(t, r.Warnings, typ)
	}
}
