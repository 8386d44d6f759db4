package loop_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

func TestOfflineIsShownHoweverTheNetworkIsLost(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, b *fake.Broker, in *fake.Browser) *window{
		"opened without": func(t *testing.T, b *fake.Broker, in *fake.Browser) *window {
			b.SetDown(true)
			tab := in.NewTab()
			tab.Happen(port.Offline)
			return openOver(t, b, tab, wasmclient.Options{Snapshot: true})
		},
		"thawed without": func(t *testing.T, b *fake.Broker, in *fake.Browser) *window {
			w := openTab(t, b, in, wasmclient.Options{Snapshot: true})
			w.Happen(port.Frozen)
			b.SetDown(true)
			w.Happen(port.Offline)
			w.Happen(port.Thawed)
			return w
		},
		"an heir": func(t *testing.T, b *fake.Broker, in *fake.Browser) *window {
			leader, w := openTab(t, b, in, wasmclient.Options{}), openTab(t, b, in, wasmclient.Options{})
			b.SetDown(true)
			b.Cut()
			leader.Happen(port.Offline)
			w.Happen(port.Offline)
			leader.close()
			return w
		},
		"resumed without": func(t *testing.T, b *fake.Broker, in *fake.Browser) *window {
			w := openTab(t, b, in, wasmclient.Options{})
			w.Pause()
			b.SetDown(true)
			w.Happen(port.Offline)
			w.Resume()
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, in := fake.New(manager), &fake.Browser{}
				w := lose(t, b, in)
				for range 100 {
					synctest.Wait()
					require.Equal(t, conn.Offline, w.View().Status.State)
					require.Zero(t, w.View().RetryIn(time.Now()))
					time.Sleep(10 * time.Second)
				}
				b.SetDown(false)
				w.Happen(port.Online)
				synctest.Wait()
				require.Equal(t, conn.Live, w.View().Status.State)
			})
		})
	}
}

func TestBrokerIsReachedAlthoughTheBrowserSaysOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, in := fake.New(manager), &fake.Browser{}
		tab := in.NewTab()
		tab.Happen(port.Offline)
		w := openOver(t, b, tab, wasmclient.Options{})
		require.Equal(t, conn.Live, w.View().Status.State)
		b.SetDown(true)
		b.Cut()
		time.Sleep(time.Minute)
		require.Equal(t, conn.Offline, w.View().Status.State)
		b.SetDown(false)
		time.Sleep(time.Minute)
		require.Equal(t, conn.Live, w.View().Status.State)
	})
}
