package loop_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

func TestEightTabsShareOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		var all []*window
		for range 8 {
			all = append(all, openTab(t, b, in, wasmclient.Options{Snapshot: true}))
		}
		require.Equal(t, tabs.Leader, all[0].role())
		for n := range 50 {
			publish(t, b, int64(n+1))
		}
		synctest.Wait()
		for _, w := range all {
			require.Equal(t, idsFrom(0, 50), w.got)
			require.Equal(t, conn.Live, w.View().Status.State)
			require.Equal(t, conn.SSE, w.View().Status.Transport)
			require.Equal(t, "50", w.View().Figures["active_rentals"].String())
		}
		require.Equal(t, 1, b.Streams())
		require.Equal(t, 1, b.Opened())
		// All tabs show the leader's trouble, and any tab may try at once.
		b.SetDown(true)
		b.Cut()
		time.Sleep(10 * time.Second)
		for _, w := range all {
			status := w.View().Status
			require.Equal(t, conn.Reconnecting, status.State)
			require.True(t, status.RetryAt.Equal(all[0].View().Status.RetryAt))
		}
		b.SetDown(false)
		all[5].Connect()
		synctest.Wait()
		require.Equal(t, conn.Live, all[7].View().Status.State)
		require.Equal(t, 1, b.Streams())
	})
}

func TestNothingIsLostHoweverTheLeaderLeaves(t *testing.T) {
	for name, leave := range map[string]func(w *window){
		"close":      func(w *window) { w.close() },
		"crash":      func(w *window) { w.Crash(); w.close() },
		"freeze":     func(w *window) { w.Happen(port.Frozen) },
		"stall":      func(w *window) { w.Stall() },
		"disconnect": func(w *window) { w.Disconnect() },
		"pause":      func(w *window) { w.Pause() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, in := fake.New(manager), &fake.Browser{}
				all := []*window{
					openTab(t, b, in, wasmclient.Options{}),
					openTab(t, b, in, wasmclient.Options{Snapshot: true}),
					openTab(t, b, in, wasmclient.Options{}),
				}
				const n = 3000 // for 30 s
				for i := range n {
					if i == 500 {
						leave(all[0])
					}
					publish(t, b, int64(i+1))
					time.Sleep(10 * time.Millisecond)
				}
				synctest.Wait()
				requireSameIDs(t, idsFrom(0, n), all[1].got)
				requireSameIDs(t, idsFrom(0, n), all[2].got)
				roles := []tabs.Role{all[1].role(), all[2].role()}
				require.ElementsMatch(t, []tabs.Role{tabs.Leader, tabs.Follower}, roles)
				// A tab that comes back gets what it missed. Its late messages are ignored.
				all[0].Happen(port.Thawed)
				all[0].Unstall()
				all[0].Connect()
				all[0].Resume()
				publish(t, b, 1)
				settle()
				if name != "close" && name != "crash" {
					requireSameIDs(t, idsFrom(0, n+1), all[0].got, 0)
					require.Equal(t, tabs.Follower, all[0].role())
				}
				requireSameIDs(t, idsFrom(0, n+1), all[1].got, 1)
				requireSameIDs(t, idsFrom(0, n+1), all[2].got, 2)
				require.Equal(t, 1, b.Streams())
			})
		})
	}
}

// The stream is closed after the grace. It is back, with all that was missed, when the user looks at a tab.
func TestStreamIsClosedWhileAllTabsAreHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		o := wasmclient.Options{Snapshot: true, Toasts: true}
		leader := openTab(t, b, in, o)
		leader.Happen(port.Vanished)
		other := openTab(t, b, in, o) // while the leader waits for nobody to look
		time.Sleep(5 * time.Minute)
		require.Equal(t, 1, b.Streams(), "a visible follower keeps a hidden leader running")
		require.Equal(t, conn.Live, other.View().Status.State)

		other.Happen(port.Vanished)
		time.Sleep(29 * time.Second)
		require.Equal(t, 1, b.Streams(), "within the grace")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, b.Streams())
		for _, w := range []*window{leader, other} {
			require.Equal(t, conn.Paused, w.View().Status.State)
			require.Equal(t, "hidden", w.View().Status.Code)
		}
		for n := range 12 {
			publish(t, b, int64(n+1))
		}
		time.Sleep(10 * time.Minute)
		require.Zero(t, b.Streams())
		require.Equal(t, 1, b.Opened())

		other.Happen(port.Appeared)
		other.Happen(port.Focused)
		synctest.Wait()
		requireSameIDs(t, idsFrom(0, 12), leader.got)
		requireSameIDs(t, idsFrom(0, 12), other.got)
		require.Equal(t, conn.Live, other.View().Status.State)
		require.Len(t, other.View().Toasts, 1, "one summary")
		require.Equal(t, "12 events while you were away", other.View().Toasts[0].Text)
		time.Sleep(10 * time.Second)
		require.Empty(t, other.View().Toasts)
		publish(t, b, 99)
		synctest.Wait()
		require.Len(t, other.View().Toasts, 1)

		// Events that one tab has shown are no news in the other.
		other.Happen(port.Vanished)
		leader.Happen(port.Appeared)
		synctest.Wait()
		require.Empty(t, leader.View().Toasts)
		time.Sleep(5 * time.Minute)
		require.Equal(t, 1, b.Streams())
	})
}

// Each tab gets its own selection.
func TestSharedStreamAsksForTheTypesThatAnyTabNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		open := func(f filter.Filter) *window { return openTab(t, b, in, wasmclient.Options{Filter: f}) }
		payments := open(filter.Filter{Types: []event.Type{event.TypePaymentReceived}})
		rentals := open(filter.Filter{
			Types:    []event.Type{event.TypeRentalStatusUpdated},
			Subjects: []string{"rental/2"},
		})
		for id := range int64(4) {
			publish(t, b, id+1)
			e, err := event.PaymentReceived(id+1, "5", "cash")
			require.NoError(t, err)
			b.Publish(e)
		}
		synctest.Wait()
		requireSameIDs(t, []string{"1", "3", "5", "7"}, payments.got)
		requireSameIDs(t, []string{"2"}, rentals.got)
		require.Equal(t, 1, b.Streams())
		require.Equal(t, []string{
			"types=payment_received",
			"types=rental_status_updated%2Cpayment_received",
		}, b.Filters())
		all := open(filter.Filter{})
		payments.close()
		publish(t, b, 1)
		synctest.Wait()
		requireSameIDs(t, []string{"8"}, all.got)
		require.Equal(t, 1, b.Streams())
	})
}
