package loop_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// The state is shown before the broker has answered. For any other user or other rights it is deleted.
func TestSavedStateIsShownToItsUserWithItsRightsAlone(t *testing.T) {
	yard := access.Grant{User: manager.User, Name: manager.Name, Roles: []access.Role{access.Yard}}
	other := access.Grant{User: "77", Name: "other", Roles: manager.Roles}
	for name, who := range map[string]access.Grant{"the same": manager, "other rights": yard, "another user": other} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, in, disk := fake.New(manager), &fake.Browser{}, &port.Memory{}
				w := openTab(t, b, in, wasmclient.Options{Snapshot: true, Storage: disk})
				publish(t, b, 1)
				synctest.Wait()
				w.Happen(port.Vanished) // the state is kept
				synctest.Wait()
				w.close()
				b.SetDown(true)
				w = openAs(t, b, in.NewTab(), wasmclient.Options{Snapshot: true, Storage: disk, Grant: who})
				v := w.View()
				if name == "the same" {
					require.Len(t, v.Events, 1)
					require.Equal(t, "1", v.Figures["active_rentals"].String())
					require.False(t, v.AsOf.IsZero())
					return
				}
				require.Empty(t, v.Events)
				require.Nil(t, v.Figures)
				require.Zero(t, v.AsOf)
				require.Empty(t, keys(t, disk, ""))
			})
		})
	}
}

// The history goes on if the missed events can be read, and begins anew if there are too many of them.
func TestRestoredHistoryHasNoHoles(t *testing.T) {
	for name, missed := range map[string]int{"goes on": 1990, "begins anew": 2010} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, in, disk := fake.New(manager), &fake.Browser{}, &port.Memory{}
				o := wasmclient.Options{Snapshot: true, Backfill: 5, Storage: disk, MaxEvents: 5000}
				w := openTab(t, b, in, o)
				publish(t, b, 1)
				synctest.Wait()
				w.Happen(port.Vanished)
				synctest.Wait()
				w.close()
				for n := range missed {
					publish(t, b, int64(n+2))
				}
				w = openTab(t, b, in, o)
				settle()
				v := w.View()
				require.Equal(t, conn.Live, v.Status.State)
				if missed > 2000 {
					requireSameIDs(t, idsFrom(missed-4, missed+1), w.got)
					require.Len(t, v.Events, 5, "what was kept would end in a hole")
					return
				}
				requireSameIDs(t, idsFrom(1, missed+1), w.got)
				require.Len(t, v.Events, missed+1)
				require.Equal(t, "0", v.Events[missed].ID)
			})
		})
	}
}

// headerRecorder is a broker that records the headers of requests to publish.
type headerRecorder struct {
	*fake.Broker
	mu  sync.Mutex
	all []map[string]string
}

func (h *headerRecorder) Do(ctx context.Context, r port.Request) (port.Response, error) {
	if r.Method == "POST" {
		h.mu.Lock()
		h.all = append(h.all, r.Header)
		h.mu.Unlock()
	}
	return h.Broker.Do(ctx, r)
}

// The broker refuses an item of the outbox if somebody else has signed in meanwhile.
func TestOutboxNamesTheAuthorAndAPIPublishDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &headerRecorder{Broker: fake.New(manager)}
		w := openOver(t, b, (&fake.Browser{}).NewTab(), wasmclient.Options{})
		write(t, w, 1)
		synctest.Wait()
		_, err := w.API.Publish(t.Context(), event.Example(event.TypeRentalOverdue))
		require.NoError(t, err)
		require.Equal(t, manager.ID(), b.all[0]["If-Grant"])
		require.NotContains(t, b.all[1], "If-Grant")
	})
}

func TestTransitionsKeepTheLast200InOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		c := start(t, b, wasmclient.Options{})
		for range 150 {
			c.Pause()
			c.Resume()
			synctest.Wait()
			time.Sleep(time.Second)
		}
		c.Disconnect()
		synctest.Wait()
		all := c.Transitions()
		require.Len(t, all, 200)
		require.Equal(t, conn.Disconnected, all[199].Status.State)
		require.Equal(t, "conn.Stop", all[199].Cause)
		for i := range all[1:] {
			require.False(t, all[i+1].At.Before(all[i].At))
		}
		raw, err := json.Marshal(all)
		require.NoError(t, err)
		require.Equal(t, 200, strings.Count(string(raw), `"Cause"`))
	})
}

// A stream that looks alive after a sleep may be long dead.
func TestStreamIsOpenedAgainAfterTheComputerSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		var asleep time.Duration
		c := start(t, b, wasmclient.Options{OnEvent: func(store.Received) {
			time.Sleep(asleep) // While a callback runs, nothing else of the client does.
		}})
		for _, sleep := range []time.Duration{20 * time.Second, 10 * time.Minute} {
			opened := b.Opened()
			asleep = sleep
			publish(t, b, 1)
			time.Sleep(sleep + 20*time.Second)
			synctest.Wait()
			woke := 0
			for _, change := range c.Transitions() {
				if change.Status.Code == "woke" {
					woke++
				}
			}
			if sleep < time.Minute { // timers may be late
				require.Zero(t, woke)
				require.Equal(t, opened, b.Opened())
			} else {
				require.Equal(t, 1, woke)
				require.Equal(t, opened+1, b.Opened())
			}
			require.Equal(t, conn.Live, c.View().Status.State)
		}
	})
}
