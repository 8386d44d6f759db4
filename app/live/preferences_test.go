package live

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/fake"
)

// slowPreferences is a broker that needs a second for each change of preferences.
type slowPreferences struct {
	*fake.Broker
	saved []notify.Preferences
	fails bool
}

func (s *slowPreferences) Do(ctx context.Context, r wasmclient.Request) (wasmclient.Response, error) {
	if r.Path != "/api/push/preferences" || r.Method != "PUT" {
		return s.Broker.Do(ctx, r)
	}
	time.Sleep(time.Second)
	if s.fails {
		return wasmclient.Response{}, wasmclient.ErrEnded
	}
	var p notify.Preferences
	_ = json.Unmarshal(r.Body, &p)
	s.saved = append(s.saved, p)
	return wasmclient.Response{Status: 204}, nil
}

// All of several quick changes hold. The broker gets them one after the other, and of several in a row the
// last. A change that the broker refuses is undone.
func TestPreferencesAreSavedInOrderAndUndoneIfRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slowPreferences{Broker: fake.New(dispatcher)}
		w := &window{Tab: (&fake.Browser{}).NewTab()}
		w.Live = New(b, Environment{Page: w.Tab})
		w.Start(t.Context())
		settle()
		t.Cleanup(w.disconnect)
		var failed atomic.Int32
		mute := func(typ event.Type) {
			add := func(p *notify.Preferences) { p.Muted = append(p.Muted, typ) }
			w.ChangePreferences(add, func(error) { failed.Add(1) })
		}
		all := []event.Type{event.TypeRentalOverdue, event.TypePaymentReceived, event.TypeSyncProgress}
		for _, typ := range all {
			mute(typ)
			synctest.Wait() // the first is on its way
		}
		require.Equal(t, all, w.Preferences().Muted, "at once")
		time.Sleep(3 * time.Second)
		settle()
		require.Len(t, b.saved, 2)
		require.Equal(t, all, b.saved[1].Muted)
		require.Zero(t, failed.Load())

		b.fails = true
		mute(event.TypeSystemNotification)
		require.Len(t, w.Preferences().Muted, 4)
		time.Sleep(2 * time.Second)
		settle()
		require.Equal(t, all, w.Preferences().Muted)
		require.EqualValues(t, 1, failed.Load())
	})
}

// A sign-out clears all data at once, and ends the session as soon as the broker is back, after a reload too.
func TestSignOutWithoutBrokerIsRepeatedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		down := &outage{jar: j}
		w := &window{Tab: in.NewTab()}
		w.Live = New(down, Environment{Page: w.Tab, Storage: st})
		w.Start(t.Context())
		settle()
		require.Equal(t, SignedIn, w.State().Phase)
		down.on.Store(true)
		go w.SignOut(t.Context())
		settle()
		require.Equal(t, Failed, w.State().Phase)
		require.Empty(t, w.State().User)
		all, err := st.Load(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, all, 1, "the note that the broker has not heard of the sign-out")
		require.Equal(t, "first", j.signedInUser())
		w.stopAsking() // the page is closed, and opened again

		w = &window{Tab: in.NewTab()}
		w.Live = New(down, Environment{Page: w.Tab, Storage: st})
		go w.Start(t.Context())
		settle()
		require.Equal(t, Failed, w.State().Phase)
		down.on.Store(false)
		time.Sleep(2 * sessionRetry)
		settle()
		require.Equal(t, SignedOut, w.State().Phase)
		require.Empty(t, j.signedInUser())
		all, err = st.Load(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

// outage is a jar whose broker cannot always be reached.
type outage struct {
	*jar
	on atomic.Bool
}

func (o *outage) Do(ctx context.Context, r wasmclient.Request) (wasmclient.Response, error) {
	if o.on.Load() {
		return wasmclient.Response{}, context.DeadlineExceeded
	}
	return o.jar.Do(ctx, r)
}
