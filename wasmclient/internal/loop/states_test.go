package loop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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
)

// scriptedBroker is a broker some of whose requests a test answers itself.
type scriptedBroker struct {
	*fake.Broker
	mu  sync.Mutex
	do  func(r port.Request) *port.Response
	log []string
}

// answer lets a test answer requests from now on; nil leaves all to the broker.
func (w *scriptedBroker) answer(do func(r port.Request) *port.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.do = do
}

func (w *scriptedBroker) Do(ctx context.Context, r port.Request) (port.Response, error) {
	w.mu.Lock()
	w.log = append(w.log, r.Method+" "+r.Path)
	do := w.do
	w.mu.Unlock()
	if do != nil {
		if a := do(r); a != nil {
			return *a, nil
		}
	}
	return w.Broker.Do(ctx, r)
}

// The network came back while the page was frozen.
func TestPageFrozenOfflineConnectsOnceThawed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		w.Happen(port.Offline)
		synctest.Wait()
		w.Happen(port.Frozen) // the lid is closed; the network is back meanwhile
		time.Sleep(time.Hour)
		w.Happen(port.Thawed)
		time.Sleep(time.Hour)
		other := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		time.Sleep(time.Minute)
		require.Equal(t, conn.Live, other.View().Status.State)
		require.Equal(t, conn.Live, w.View().Status.State)
	})
}

// slowStorage is a storage that answers Load late.
type slowStorage struct {
	port.Memory
	after time.Duration
}

func (s *slowStorage) Load(ctx context.Context, p string) (map[string][]byte, error) {
	time.Sleep(s.after)
	return s.Memory.Load(ctx, p)
}

func TestPageShownWhileItsStorageAnswersConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		tab := in.NewTab()
		tab.Happen(port.Vanished) // opened in the background
		w := openOver(t, b, tab, wasmclient.Options{Snapshot: true, Storage: &slowStorage{after: time.Second}})
		time.Sleep(500 * time.Millisecond)
		tab.Happen(port.Appeared) // and shown at once
		time.Sleep(5 * time.Minute)
		require.True(t, tab.IsVisible())
		require.Equal(t, conn.Live, w.View().Status.State, w.View().Status.Code)
	})
}

func TestUserCanRetryAfterAFollowersHistoryWasRefused(t *testing.T) {
	for _, status := range []int{403, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, in := &scriptedBroker{Broker: fake.New(manager)}, &fake.Browser{}
				lead := openOver(t, b, in.NewTab(), wasmclient.Options{})
				w := openOver(t, b, in.NewTab(), wasmclient.Options{})
				publish(t, b.Broker, 1)
				synctest.Wait()
				w.Pause()
				synctest.Wait()
				for i := range 1500 {
					publish(t, b.Broker, int64(i+2))
				}
				synctest.Wait()
				b.answer(func(r port.Request) *port.Response {
					if strings.HasPrefix(r.Path, "/api/events") {
						return &port.Response{Status: status, RetryAfter: "3600"}
					}
					return nil
				})
				w.Resume()
				synctest.Wait()
				b.answer(nil)
				w.Connect() // the user: Retry now
				time.Sleep(time.Minute)
				require.Equal(t, conn.Live, lead.View().Status.State)
				require.Equal(t, conn.Live, w.View().Status.State, w.View().Status.Code)
			})
		})
	}
}

func TestNetworkThatComesBackOpensNoStreamForHiddenTabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		w.Happen(port.Offline)
		w.Happen(port.Vanished)
		time.Sleep(time.Hour)
		w.Happen(port.Online)
		time.Sleep(time.Hour)
		require.Zero(t, b.Streams(), "hidden for two hours: %v", w.View().Status)
	})
}

// Connect is the user's command, so the client connects although all tabs are hidden. Later it closes the stream again.
func TestConnectInAHiddenTabDoesNotKeepTheStreamOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		other := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		w.Happen(port.Vanished)
		other.Happen(port.Vanished)
		time.Sleep(time.Hour)
		require.Zero(t, b.Streams())
		other.Connect()
		time.Sleep(time.Hour)
		require.Zero(t, b.Streams(), "hidden for two hours: %v", w.View().Status)
	})
}

func TestFollowerOfADeniedLeaderIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		b.Refuse(fake.Refusal(401, "sign_in_required"))
		w := openTab(t, b, in, wasmclient.Options{})
		other := openTab(t, b, in, wasmclient.Options{})
		settle()
		require.Equal(t, conn.Denied, w.View().Status.State)
		require.Equal(t, conn.Denied, other.View().Status.State)
	})
}

func TestNewTabConnectsAlthoughAnotherWasDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		b.Refuse(fake.Refusal(403, "forbidden"))
		b.Cut()
		time.Sleep(time.Minute)
		require.Equal(t, conn.Denied, w.View().Status.State)
		b.Refuse(nil) // an administrator gave access; the user opens the app anew
		other := openTab(t, b, in, wasmclient.Options{Snapshot: true})
		settle()
		require.Equal(t, conn.Live, other.View().Status.State)
	})
}

func TestFollowerGetsTheOldestEventsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		for i := range 5 {
			publish(t, b, int64(i+1))
		}
		first := openTab(t, b, in, wasmclient.Options{Oldest: true})
		second := openTab(t, b, in, wasmclient.Options{Oldest: true})
		settle()
		require.Equal(t, first.got, second.got)
	})
}

func TestTabsWithoutAUserShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, in := fake.New(manager), &fake.Browser{}
		two := fake.New(access.Grant{User: "77", Name: "yard", Roles: []access.Role{access.Yard}})
		openAs(t, one, in.NewTab(), wasmclient.Options{})
		w := openAs(t, two, in.NewTab(), wasmclient.Options{}) // the cookie is another's now
		publish(t, one, 1)
		synctest.Wait()
		require.Empty(t, w.got, "events of another user")
	})
}

func TestSavedStateNamesTheRightsThatItWasReadBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		low, err := access.NewGrant("1", "m", []access.Role{access.Dispatcher}, 0)
		require.NoError(t, err)
		high, err := access.NewGrant("1", "m", []access.Role{access.Dispatcher, access.HR}, 0)
		require.NoError(t, err)
		b, in, st := fake.New(low), &fake.Browser{}, &port.Memory{}
		w := openOver(t, b, in.NewTab(), wasmclient.Options{Snapshot: true, Storage: st, Grant: low})
		b.Regrant(high)
		time.Sleep(10 * time.Second)
		publish(t, b, 1)
		time.Sleep(time.Minute)
		w.close()
		all, _ := st.Load(t.Context(), "state")
		var r struct {
			Grant    string
			Snapshot struct{ Grant string }
		}
		require.NoError(t, json.Unmarshal(all["state"], &r))
		require.Equal(t, r.Snapshot.Grant, r.Grant, "kept as of rights that it is not of")
	})
}

// countingStorage is a storage that records its uses.
type countingStorage struct {
	port.Memory
	mu   sync.Mutex
	uses []string
}

func (c *countingStorage) note(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses = append(c.uses, s)
}

func (c *countingStorage) Load(ctx context.Context, p string) (map[string][]byte, error) {
	c.note("load")
	return c.Memory.Load(ctx, p)
}

func (c *countingStorage) Save(ctx context.Context, k string, v []byte) error {
	c.note("save " + k)
	return c.Memory.Save(ctx, k, v)
}

func TestFrozenPageUsesNeitherStorageNorNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in, st := &scriptedBroker{Broker: fake.New(manager)}, &fake.Browser{}, &countingStorage{}
		w := openOver(t, b, in.NewTab(), wasmclient.Options{Storage: st})
		b.SetDown(true)
		b.Cut()
		synctest.Wait()
		_, err := w.Publish(t.Context(), event.Example(event.TypeRentalOverdue))
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		loaded, sent := len(st.uses), len(b.log)
		w.Happen(port.Frozen)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Len(t, st.uses, loaded)
		require.Len(t, b.log, sent)
	})
}

func TestPauseOfAHiddenTabEndsOnlyWithResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		w := openTab(t, b, in, wasmclient.Options{})
		w.Happen(port.Vanished)
		time.Sleep(time.Hour)
		w.Pause()
		synctest.Wait()
		require.Equal(t, conn.Paused, w.View().Status.State)
		require.Empty(t, w.View().Status.Code)
		w.Happen(port.Appeared)
		time.Sleep(time.Minute)
		require.Zero(t, b.Streams())
		w.Resume()
		synctest.Wait()
		require.Equal(t, conn.Live, w.View().Status.State)
	})
}

// brokerWithoutHistory is a broker whose history does not answer. It counts the requests that wait.
type brokerWithoutHistory struct {
	*fake.Broker
	n atomic.Int32
}

func (w *brokerWithoutHistory) Do(ctx context.Context, r port.Request) (port.Response, error) {
	if !strings.HasPrefix(r.Path, "/api/events") {
		return w.Broker.Do(ctx, r)
	}
	w.n.Add(1)
	defer w.n.Add(-1)
	<-ctx.Done()
	return port.Response{}, ctx.Err()
}

func TestCatchUpIsAbortedWhenItsLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := &brokerWithoutHistory{Broker: fake.New(manager)}, &fake.Browser{}
		leader := openOver(t, b, in.NewTab(), wasmclient.Options{})
		w := openOver(t, b, in.NewTab(), wasmclient.Options{})
		publish(t, b.Broker, 1)
		synctest.Wait()
		w.Pause()
		synctest.Wait()
		for i := range 1500 { // more than the leader keeps
			publish(t, b.Broker, int64(i+2))
		}
		synctest.Wait()
		w.Resume()
		synctest.Wait()
		require.EqualValues(t, 1, b.n.Load())
		leader.close()
		synctest.Wait()
		require.Zero(t, b.n.Load())
		time.Sleep(time.Minute)
		requireSameIDs(t, idsFrom(0, 1501), w.got)
	})
}
