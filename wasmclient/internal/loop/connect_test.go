package loop_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// The stream is kept in a program, in a tab on its own and in tabs that share a stream.
func TestConnectKeepsALiveStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(manager)
		clients := []*wasmclient.Client{
			start(t, b, wasmclient.Options{}),
			openTab(t, b, &fake.Browser{NoLocks: true}, wasmclient.Options{}).Client,
		}
		in := &fake.Browser{}
		for range 2 {
			clients = append(clients, openTab(t, b, in, wasmclient.Options{}).Client)
		}
		opened := b.Opened()
		for _, c := range clients {
			c.Connect()
			synctest.Wait()
		}
		require.Equal(t, opened, b.Opened())
		for _, c := range clients {
			require.Equal(t, conn.Live, c.View().Status.State)
		}
	})
}

// The roles of the tabs stay, whichever tab asks for another connection.
func TestReconnectMakesOneOtherConnectionFromAnyTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		leader, follower := openTab(t, b, in, wasmclient.Options{}), openTab(t, b, in, wasmclient.Options{})
		for i, w := range []*window{leader, follower} {
			w.Reconnect()
			publish(t, b, int64(i+1))
			synctest.Wait()
			require.Equal(t, i+2, b.Opened())
			require.Equal(t, 1, b.Streams())
		}
		time.Sleep(time.Minute)
		for _, w := range []*window{leader, follower} {
			require.Equal(t, conn.Live, w.View().Status.State)
			requireSameIDs(t, idsFrom(0, 2), w.got)
		}
		require.Equal(t, tabs.Leader, leader.role())
		require.Equal(t, tabs.Follower, follower.role())

		leader.Pause()
		follower.Pause()
		synctest.Wait()
		follower.Reconnect()
		synctest.Wait()
		require.Equal(t, conn.Live, follower.View().Status.State)
		alone := start(t, b, wasmclient.Options{})
		opened := b.Opened()
		alone.Reconnect()
		synctest.Wait()
		require.Equal(t, opened+1, b.Opened())
		require.Equal(t, conn.Live, alone.View().Status.State)
	})
}

// The broker asked the tab that led to wait, and meant the next leader as well. The user may try at once.
func TestTheNextLeaderObeysRetryAfterToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		leader := openTab(t, b, in, wasmclient.Options{})
		next := openTab(t, b, in, wasmclient.Options{})
		third := openTab(t, b, in, wasmclient.Options{})
		draining := fake.Refusal(503, "draining")
		draining.RetryAfter = "600"
		b.Refuse(draining)
		b.Cut()
		time.Sleep(time.Minute)
		b.Refuse(nil)
		opened := b.Opened()
		leader.close()
		time.Sleep(time.Minute)
		require.Equal(t, opened, b.Opened())
		for _, w := range []*window{next, third} {
			require.Equal(t, conn.Limited, w.View().Status.State)
			require.Greater(t, w.View().RetryIn(time.Now()), 5*time.Minute)
		}
		third.Connect()
		synctest.Wait()
		require.Equal(t, conn.Live, third.View().Status.State)
		require.Equal(t, opened+1, b.Opened())
	})
}
