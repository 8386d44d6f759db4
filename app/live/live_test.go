package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// window is a tab with the app in it.
type window struct {
	*Live
	*fake.Tab
}

func openTab(t *testing.T, b *fake.Broker, in *fake.Browser, storage wasmclient.Storage) *window {
	w := &window{Tab: in.NewTab()}
	w.Live = New(b, Environment{Page: w.Tab, Storage: storage})
	w.Start(t.Context())
	settle()
	return w
}

// visit opens the app in a browser that was closed, and does not wait for the broker. reload ends the
// page.
func visit(t *testing.T, b *fake.Broker, storage wasmclient.Storage) (w *window, reload func()) {
	w = &window{Tab: (&fake.Browser{}).NewTab()}
	w.Live = New(b, Environment{Page: w.Tab, Storage: storage})
	life, end := context.WithCancel(t.Context())
	go w.Start(life)
	settle()
	return w, func() {
		end()
		w.disconnect()
	}
}

// settle waits until all goroutines are blocked and a batch of changes has been delivered.
func settle() {
	synctest.Wait()
	time.Sleep(batchTime)
	synctest.Wait()
}

func overdue(t *testing.T, id int64) event.Event {
	e, err := event.RentalOverdue(id, 2, "Ann")
	require.NoError(t, err)
	return e
}

var dispatcher = access.Grant{User: "1", Name: "dispatcher", Roles: []access.Role{access.Dispatcher}}

func TestPageShowsAUserFromSignInToSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		b.Publish(overdue(t, 1)) // before: in the figures and the history, no toast
		p := openTab(t, b, &fake.Browser{}, nil)
		p.Happen(port.Focused)
		batches := 0
		leave := p.Subscribe(func() { batches++ })
		s := p.State()
		require.Equal(t, SignedIn, s.Phase)
		require.Equal(t, "dispatcher", s.User.Name)
		require.Equal(t, conn.Live, s.View.Status.State)
		require.Equal(t, "1", s.View.Figures["overdue_rentals"].String())
		require.Len(t, s.View.Events, 1)
		require.Empty(t, s.View.Toasts)

		for id := range int64(4) {
			b.Publish(overdue(t, id+2))
		}
		settle()
		require.Equal(t, 1, batches, "a burst is one batch")
		s = p.State()
		require.Len(t, s.View.Toasts, 3)
		require.Equal(t, 1, s.View.More)
		require.Equal(t, "5", s.View.Figures["overdue_rentals"].String())
		p.UpdateToasts(func(q *toast.Queue, now time.Time) { q.Dismiss(now, s.View.Toasts[0].Key) })
		require.Equal(t, 0, p.State().View.More)
		leave()

		p.Happen(port.Offline)
		settle()
		require.Equal(t, conn.Offline, p.State().View.Status.State)
		p.Happen(port.Online)
		settle()
		require.Equal(t, conn.Live, p.State().View.Status.State)

		p.SignOut(t.Context())
		settle()
		s = p.State()
		require.Equal(t, SignedOut, s.Phase)
		want := State{Phase: SignedOut, Users: []string{"dispatcher"}, Tab: p.Tab.Tab()}
		require.Equal(t, want, s, "no data of the user stays")
		require.Zero(t, p.Watchers())
		p.SignIn(t.Context(), "dispatcher", "")
		settle()
		require.Equal(t, SignedIn, p.State().Phase)
		p.disconnect()
	})
}

func TestAppConnectsWhenTheBrokerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		b.SetDown(true)
		p := New(b, Environment{Page: (&fake.Browser{}).NewTab()})
		go p.Start(t.Context())
		settle()
		require.Equal(t, Failed, p.State().Phase)
		b.SetDown(false)
		time.Sleep(sessionRetry)
		settle()
		require.Equal(t, SignedIn, p.State().Phase)
		p.disconnect()
	})
}

// Offline, the app opens with the state, the history and the outbox of the last visit. When the broker is
// back, each event is sent once.
func TestAppOpensOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, storage := fake.New(dispatcher), &wasmclient.Memory{}
		p := openTab(t, b, &fake.Browser{}, storage)
		b.Publish(overdue(t, 1))
		time.Sleep(time.Minute)
		p.disconnect()
		b.SetDown(true)

		p, reload := visit(t, b, storage)
		s := p.State()
		require.Equal(t, SignedIn, s.Phase)
		require.Len(t, s.View.Events, 1)
		require.Equal(t, "1", s.View.Figures["overdue_rentals"].String())
		require.False(t, s.View.AsOf.IsZero())
		require.False(t, s.View.Connected)
		p.Publish(t.Context(), overdue(t, 2))
		p.Publish(t.Context(), overdue(t, 3))
		settle()
		require.Equal(t, 2, p.State().View.Unsent())
		reload()

		p, _ = visit(t, b, storage)
		require.Equal(t, 2, p.State().View.Unsent())
		b.SetDown(false)
		time.Sleep(time.Minute)
		settle()
		s = p.State()
		require.True(t, s.View.Connected)
		require.Zero(t, s.View.AsOf)
		require.Zero(t, s.View.Unsent())
		require.Len(t, b.Events(), 3)
		require.Len(t, s.View.Events, 3)
		require.Equal(t, "3", s.View.Figures["overdue_rentals"].String())

		p.SignOut(t.Context())
		all, err := storage.Load(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, all, "no data of the user stays in the storage")
	})
}

func TestAnotherUserSeesNoDataOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, storage := fake.New(dispatcher), &wasmclient.Memory{}
		p := openTab(t, b, &fake.Browser{}, storage)
		b.Publish(overdue(t, 1))
		time.Sleep(time.Minute)
		b.SetDown(true)
		p.Publish(t.Context(), overdue(t, 2))
		p.disconnect()
		// The session ends while the browser is closed; another user signs in.
		other := access.Grant{User: "9", Name: "other", Roles: []access.Role{access.Dispatcher}}
		b = fake.New(other)
		p = openTab(t, b, &fake.Browser{}, storage)
		settle()
		require.Equal(t, "other", p.State().User.Name)
		require.Empty(t, p.State().View.Events)
		require.Empty(t, p.State().View.Outbox)
		require.Empty(t, b.Events())
		all, err := storage.Load(t.Context(), "outbox/")
		require.NoError(t, err)
		require.Empty(t, all)
		p.disconnect()
	})
}

func TestRefusedItemSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		p := openTab(t, b, &fake.Browser{}, nil)
		b.Refuse(&wasmclient.Response{
			Status:      422,
			ContentType: "application/problem+json",
			Body: []byte(`{"type":"urn:yardline:problem:invalid_event","code":"invalid_event",` +
				`"title":"The event is not valid",` +
				`"errors":[{"pointer":"/data/rental_id","code":"limit","expected":"an integer, at least 1"}]}`),
		})
		p.Publish(t.Context(), overdue(t, 1))
		settle()
		item := p.State().View.Outbox[0]
		require.Equal(t, outbox.Rejected, item.State)
		want := "The event is not valid. rental_id: expected an integer, at least 1. (invalid_event)"
		require.Equal(t, want, item.Problem)
		p.WithClient(func(c *wasmclient.Client) { c.DiscardItem(item.ID) })
		settle()
		require.Empty(t, p.State().View.Outbox)
		require.NotEmpty(t, p.Report())
		p.disconnect()
	})
}

// With other roles, the app starts over and shows what the user may see now.
func TestNewRolesReplaceTheData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		p := openTab(t, b, &fake.Browser{}, nil)
		b.Publish(overdue(t, 1))
		settle()
		require.Len(t, p.State().View.Events, 1)
		other, err := access.NewGrant(dispatcher.User, dispatcher.Name, []access.Role{access.HR}, 0)
		require.NoError(t, err)
		b.Regrant(other)
		time.Sleep(10 * time.Second) // virtual
		settle()
		s := p.State()
		require.Equal(t, []access.Role{access.HR}, s.User.Roles)
		require.Empty(t, s.View.Events)
		require.True(t, s.View.Connected)
		p.disconnect()
	})
}

func TestErrorsAreExplainedWithTheirCode(t *testing.T) {
	require.Contains(t, Explain(errors.New("x")), "(network)")
	require.Equal(t, "No. Ask. (forbidden)", Explain(&wasmclient.Error{Code: "forbidden", Title: "No", Detail: "Ask."}))
}

func TestWithoutAClientCallsDoNothing(t *testing.T) {
	l := New(nil, Environment{Page: (&fake.Browser{}).NewTab()})
	l.WithClient((*wasmclient.Client).Connect) // returns
	require.Empty(t, l.Transitions())
}
