package live

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// scriptedJar is a jar whose answers a test can replace.
type scriptedJar struct {
	*jar
	answer atomic.Pointer[func(r wasmclient.Request) *wasmclient.Response] // it returns nil to let the jar answer
}

func (c *scriptedJar) set(answer func(r wasmclient.Request) *wasmclient.Response) {
	c.answer.Store(&answer)
}

func (c *scriptedJar) Do(ctx context.Context, r wasmclient.Request) (wasmclient.Response, error) {
	if answer := c.answer.Load(); answer != nil {
		if response := (*answer)(r); response != nil {
			return *response, nil
		}
	}
	return c.jar.Do(ctx, r)
}

func openScripted(t *testing.T, c *scriptedJar, st wasmclient.Storage) *window {
	w := &window{Tab: (&fake.Browser{}).NewTab()}
	w.Live = New(c, Environment{Page: w.Tab, Storage: st})
	go w.Start(t.Context())
	settle()
	t.Cleanup(w.disconnect)
	return w
}

func keys(t *testing.T, st wasmclient.Storage) []string {
	all, err := st.Load(t.Context(), "")
	require.NoError(t, err)
	return slices.Sorted(maps.Keys(all))
}

// The broker reports no user for a while, which may be wrong. When the broker knows the user again, the app comes back
// by itself, with its stored state and its unsent items.
func TestReportOfNoUserDeletesNothing(t *testing.T) {
	for name, end := range map[string]func(b *fake.Broker){
		"regrant": func(b *fake.Broker) { b.Bye(wire.ByeRegrant) },
		"expired": func(b *fake.Broker) { b.Bye(wire.ByeExpired) }, "cut": (*fake.Broker).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, st := newJar(), &wasmclient.Memory{}
				w := openJar(t, j, &fake.Browser{}, st)
				j.brokers["first"].Publish(overdue(t, 1))
				time.Sleep(time.Minute)
				before := keys(t, st)
				require.Contains(t, before, sessionKey)
				require.Contains(t, before, wasmclient.StateKey)

				j.setUser("")
				end(j.brokers["first"])
				time.Sleep(10 * time.Second)
				require.NotEqual(t, conn.Live, w.State().View.Status.State)
				w.Publish(t.Context(), overdue(t, 2))
				time.Sleep(time.Minute)
				require.Subset(t, keys(t, st), before)

				j.setUser("first")
				time.Sleep(2 * maxSessionRetry)
				settle()
				s := w.State()
				require.Equal(t, SignedIn, s.Phase)
				require.Equal(t, conn.Live, s.View.Status.State)
				require.Zero(t, s.View.Unsent())
			})
		})
	}
}

// A page that was opened while the broker knew no user signs in later by itself, and at once when its tab is shown.
func TestPageSignsInWhenTheBrokerKnowsTheUserAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, st := newJar(), &wasmclient.Memory{}
		w := openJar(t, j, &fake.Browser{}, st)
		time.Sleep(time.Minute)
		before := keys(t, st)
		w.disconnect()
		j.setUser("")
		w = openJar(t, j, &fake.Browser{}, st)
		require.Equal(t, SignedOut, w.State().Phase)
		require.Equal(t, before, keys(t, st))
		time.Sleep(time.Hour)
		j.setUser("first")
		w.Happen(port.Appeared)
		settle()
		require.Equal(t, SignedIn, w.State().Phase)
		require.Equal(t, conn.Live, w.State().View.Status.State)
	})
}

func TestStoredDataGoesWhenAnotherUserSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, st := newJar(), &wasmclient.Memory{}
		w := openJar(t, j, &fake.Browser{}, st)
		j.brokers["first"].Publish(overdue(t, 1))
		time.Sleep(time.Minute)
		require.NoError(t, w.SaveDeviceID(t.Context(), "phone"))
		j.setUser("")
		j.brokers["first"].Bye(wire.ByeRegrant)
		settle()
		require.Equal(t, SignedOut, w.State().Phase)
		w.SignIn(t.Context(), "second", "")
		settle()
		all, err := st.Load(t.Context(), "")
		require.NoError(t, err)
		require.NotContains(t, all, deviceKey)
		for key, raw := range all {
			require.NotContains(t, string(raw), `"dispatcher:1`, key)
			require.False(t, key == wasmclient.StateKey && strings.Contains(string(raw), dispatcher.ID()), key)
		}
		var kept storedSession
		require.NoError(t, json.Unmarshal(all[sessionKey], &kept))
		require.Equal(t, "second", kept.User.Name)
		require.False(t, kept.Over)
	})
}

// A user who has signed in at the identity provider is the user of every tab as soon as one tab knows. No data of the
// earlier user stays on the screen or comes back to the storage.
func TestNewUserInOneTabIsTheUserOfAllTabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		a := openJar(t, j, in, st)
		j.brokers["first"].Publish(overdue(t, 1))
		settle()
		require.Equal(t, "dispatcher", a.State().User.Name)
		require.Equal(t, "1", a.State().View.Figures["overdue_rentals"].String())
		j.setUser("second")
		b := openJar(t, j, in, st)
		settle()
		a.Happen(port.Vanished)
		settle()
		for _, tab := range []*window{a, b} {
			require.Equal(t, "second", tab.State().User.Name)
			require.Equal(t, conn.Live, tab.State().View.Status.State)
			require.Empty(t, tab.State().View.Events)
		}
		all, err := st.Load(t.Context(), "")
		require.NoError(t, err)
		for key, raw := range all {
			require.False(t, key == wasmclient.StateKey && strings.Contains(string(raw), dispatcher.ID()), key)
		}
	})
}

// The browser still sends a cookie that the broker cannot take away.
func TestSignOutThatCannotWorkSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, st := &scriptedJar{jar: newJar()}, &wasmclient.Memory{}
		c.set(func(r wasmclient.Request) *wasmclient.Response {
			if r.Method == "DELETE" {
				return &wasmclient.Response{Status: 204}
			}
			return nil
		})
		w := openScripted(t, c, st)
		w.SignOut(t.Context())
		time.Sleep(10 * time.Minute)
		settle()
		s := w.State()
		require.Equal(t, SignedOut, s.Phase)
		require.NotNil(t, s.Warning)
		require.Equal(t, "still_signed_in", s.Warning.Code)
		require.Empty(t, keys(t, st))
		w.Reauthenticate(t.Context())
		settle()
		require.Equal(t, SignedIn, w.State().Phase)
		require.Nil(t, w.State().Warning)
	})
}

func TestSignInSaysThatTheCookieWasDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scriptedJar{jar: newJar()}
		c.setUser("")
		c.set(func(r wasmclient.Request) *wasmclient.Response {
			if r.Method != "POST" {
				return nil
			}
			answer, err := c.brokers["first"].Do(t.Context(), r)
			require.NoError(t, err)
			return &answer
		})
		w := openScripted(t, c, nil)
		w.SignIn(t.Context(), "dispatcher", "")
		settle()
		require.Equal(t, SignedOut, w.State().Phase)
		require.Contains(t, w.State().Failure, "(cookie_dropped)")

		c.set(func(r wasmclient.Request) *wasmclient.Response {
			if r.Method == "POST" {
				return fake.Refusal(403, "needs_tls")
			}
			return nil
		})
		w.SignIn(t.Context(), "dispatcher", "")
		settle()
		require.Contains(t, w.State().Failure, "(needs_tls)")
	})
}

func TestSignOutIsRepeatedUntilTheBrokerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, st := &scriptedJar{jar: newJar()}, &wasmclient.Memory{}
		var proxy atomic.Bool
		proxy.Store(true)
		c.set(func(r wasmclient.Request) *wasmclient.Response {
			if proxy.Load() && r.Method == "DELETE" {
				return &wasmclient.Response{Status: 403, ContentType: "text/html"}
			}
			return nil
		})
		w := openScripted(t, c, st)
		go w.SignOut(t.Context())
		settle()
		require.Equal(t, Failed, w.State().Phase)
		require.Equal(t, "first", c.signedInUser())
		proxy.Store(false)
		time.Sleep(2 * sessionRetry)
		settle()
		require.Equal(t, SignedOut, w.State().Phase)
		require.Nil(t, w.State().Warning)
		require.Empty(t, c.signedInUser())
		require.Empty(t, keys(t, st))
	})
}

// The redirect of a gateway is no outage: the page offers to sign in, and keeps its data.
func TestRedirectOfAGatewayAsksForASignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, st := &scriptedJar{jar: newJar()}, &wasmclient.Memory{}
		var gate atomic.Bool
		gate.Store(true)
		c.set(func(wasmclient.Request) *wasmclient.Response {
			if gate.Load() {
				return &wasmclient.Response{Status: 302}
			}
			return nil
		})
		w := openScripted(t, c, st)
		require.Equal(t, Failed, w.State().Phase)
		require.True(t, w.State().GatewaySignIn)
		gate.Store(false)
		time.Sleep(2 * sessionRetry)
		settle()
		require.Equal(t, SignedIn, w.State().Phase)
		require.False(t, w.State().GatewaySignIn)
	})
}
