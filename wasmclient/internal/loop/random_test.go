package loop_test

import (
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/randtest"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// actAtRandom makes something happen at random to a tab, to the network or to the outbox. It returns the number of
// events that it wrote into the outbox.
func actAtRandom(t *testing.T, r *rand.Rand, b *fake.Broker, w *window) (written int) {
	switch r.Intn(22) {
	case 0:
		w.close()
	case 1:
		w.Crash()
		w.close()
	case 2:
		w.Happen(port.Frozen)
	case 3:
		w.Stall()
	case 4, 5:
		w.Unstall()
		w.Happen(port.Thawed)
	case 6:
		w.Happen(port.Vanished)
	case 7:
		w.Happen(port.Appeared)
	case 8:
		b.SetDown(true)
		b.Cut()
	case 9, 10:
		b.SetDown(false)
	case 11:
		w.Disconnect()
	case 12:
		w.Reconnect()
	case 13:
		w.Pause()
	case 14:
		w.Resume()
	case 15:
		w.Happen(port.Offline)
	case 16:
		w.Happen(port.Online)
	case 17, 18:
		_, err := w.Publish(t.Context(), event.Example(event.TypeRentalOverdue))
		require.NoError(t, err)
		return 1
	default:
		for range r.Intn(30) {
			b.Publish(event.Example(event.TypePaymentReceived))
		}
	}
	return 0
}

// Each tab has what follows its first event once and in order, every item is stored once, all tabs show the same
// state, and there is one stream in the end.
func TestTabsAgreeWhateverHappensToThem(t *testing.T) {
	for seed := range randtest.Seeds(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			b, in, disk := fake.New(manager), &fake.Browser{NoLocks: seed%10 == 9}, &port.Memory{}
			open := make([]*window, 4)
			reopen := func() { // those that were closed or crashed
				for i, w := range open {
					if w == nil || w.Watchers() == 0 {
						open[i] = openTab(t, b, in, wasmclient.Options{
							Snapshot: r.Intn(2) == 0,
							Toasts:   true,
							Storage:  disk,
							Random:   rand.New(rand.NewSource(r.Int63())).Float64,
						})
					}
				}
			}
			reopen()
			written := 0
			for range 300 {
				written += actAtRandom(t, r, b, open[r.Intn(len(open))])
				time.Sleep(time.Duration(r.Intn(4000)) * time.Millisecond)
				reopen()
			}
			b.SetDown(false)
			for _, w := range open {
				w.Unstall()
				for _, e := range []port.PageEvent{port.Thawed, port.Online, port.Appeared} {
					w.Happen(e)
				}
				w.Resume()
				w.Connect()
			}
			settle()
			b.Publish(event.Example(event.TypePaymentReceived))
			synctest.Wait()
			requireAgreement(t, seed, b, in, open, written)
			for _, w := range open {
				w.close()
			}
			synctest.Wait()
			require.Zero(t, in.Locks())
			require.Zero(t, in.Channels())
			require.Zero(t, b.Streams())
		})
	}
}

// requireAgreement checks what must be true when everything has come to rest.
func requireAgreement(t *testing.T, seed int64, b *fake.Broker, in *fake.Browser, open []*window, written int) {
	t.Helper()
	var ids []string
	for _, e := range b.Events() {
		ids = append(ids, e.ID)
		if e.Type == event.TypeRentalOverdue {
			written--
		}
	}
	require.Zero(t, written, "seed %d: of the outbox", seed)
	leaders := 0
	var figures map[string]projection.Figure
	for i, w := range open {
		v := w.View()
		require.Equal(t, conn.Live, v.Status.State, "seed %d, tab %d: %+v", seed, i, v.Status)
		require.NotEmpty(t, w.got)
		requireSameIDs(t, ids[len(ids)-len(w.got):], w.got, "seed", seed, "tab", i)
		require.Zero(t, v.Unsent(), "seed %d, tab %d", seed, i)
		if v.Figures != nil {
			if figures == nil {
				figures = v.Figures
			}
			require.Equal(t, figures, v.Figures, "seed %d, tab %d", seed, i)
		}
		if v.Role == tabs.Leader {
			leaders++
		}
	}
	want := 1
	if in.NoLocks {
		want = len(open)
		require.Zero(t, leaders)
	} else {
		require.Equal(t, 1, leaders, "seed %d", seed)
	}
	require.Equal(t, want, b.Streams(), "seed %d", seed)
}
