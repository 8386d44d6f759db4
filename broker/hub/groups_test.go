package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
)

// switchboard writes for a hub: to each connection what it is sent, and what
// its view is.
type switchboard struct {
	mu    sync.Mutex // guards all below
	wires map[string][]byte
	views map[string]map[string]bool
	calls int // of Write
}

var _ Groups = (*switchboard)(nil)

func newSwitchboard() *switchboard {
	return &switchboard{wires: map[string][]byte{}, views: map[string]map[string]bool{}}
}

func (s *switchboard) Join(view, reader string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.views[view] == nil {
		s.views[view] = map[string]bool{}
	}
	s.views[view][reader] = true
}

func (s *switchboard) Leave(view, reader string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.views[view], reader); len(s.views[view]) == 0 {
		delete(s.views, view)
	}
}

func (s *switchboard) Write(view string, frames []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for reader := range s.views[view] {
		s.wires[reader] = append(s.wires[reader], frames...)
	}
}

func (s *switchboard) Send(reader string, frames []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wires[reader] = append(s.wires[reader], frames...)
}

// TestGroups: readers who are written to by view, come at any moment, have
// splices, change their filters and leave, have exactly what readers who pull
// have, each event once and in order; and nothing is left of them.
func TestGroups(t *testing.T) {
	filters := []string{"", "types=payment_received", "subjects=rental/1", "modules=rental,employee", "types=timesheet_updated,sync_progress"}
	synctest.Test(t, func(t *testing.T) {
		const events = 400
		board := newSwitchboard()
		h := startHub(t, memlog.New("k", time.Hour), Config{Ring: 16, Groups: board})
		grants := []access.Grant{grant(t, "1", 0, access.Manager), grant(t, "2", 2, access.Yard), grant(t, "3", 3)}
		var all sync.WaitGroup
		for i := range 12 {
			g := grants[i%len(grants)]
			all.Go(func() {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
				r := subscribe(t, h, Request{Grant: g, After: &wire.Cursor{}, Format: wire.JSON, ID: NewID()})
				ctx, leave := context.WithCancel(t.Context())
				var pumping sync.WaitGroup
				pumping.Go(func() {
					for {
						frames, err := r.Next(ctx)
						if err != nil {
							return
						}
						board.Send(r.ID, frames)
					}
				})
				for n := range 4 {
					time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
					f := parse(t, filters[(i+n)%len(filters)])
					require.NoError(t, r.Refilter(ctx, f, f.Key()))
				}
				time.Sleep(time.Second) // all is published by then, and written
				leave()
				pumping.Wait()
				r.Leave()
				board.mu.Lock()
				r.decode(board.wires[r.ID])
				board.mu.Unlock()
				checkSeams(t, h, g, r.frames, events)
			})
		}
		for i := range events {
			publish(t, h, i)
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		require.Empty(t, board.views)
		require.Less(t, board.calls, 12*events, "a write a view, not a reader")
	})
}

// checkSeams holds the frames of one stream against what a reader was to have:
// through each seam by the old filter, after it by the new one.
func checkSeams(t *testing.T, h *Hub, g access.Grant, frames []wire.Frame, through uint64) {
	t.Helper()
	var f filter.Filter
	var got []uint64
	from := uint64(0)
	require.IsType(t, &wire.Hello{}, frames[0])
	for _, frame := range frames[1:] {
		switch frame := frame.(type) {
		case *wire.Event:
			got = append(got, frame.Cursor.Seq)
		case *wire.FilterChanged:
			require.Equal(t, seqsThrough(expectedSeqs(t, h, g, f, from, through), frame.Through.Seq), got, "through the seam of %s", frame.Filter)
			f, got, from = parse(t, frame.Filter), nil, frame.Through.Seq
		}
	}
	require.Equal(t, expectedSeqs(t, h, g, f, from, through), got)
}
