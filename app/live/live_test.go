package live

import (
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
)

// tab is a page in a test.
type tab struct {
	*Live
	focused bool
	network func(online bool)
}

func openTab(t *testing.T, b *fake.Broker) *tab {
	p := &tab{}
	p.Live = New(b, Page{Tab: "t", HasFocus: func() bool { return p.focused },
		WatchNetwork: func(changed func(bool)) func() { p.network = changed; return func() { p.network = nil } }})
	p.Start(t.Context())
	settle()
	return p
}

// settle lets everything happen that can, and a batch of changes arrive.
func settle() {
	synctest.Wait()
	time.Sleep(batch)
	synctest.Wait()
}

func overdue(t *testing.T, id int64) event.Event {
	e, err := event.RentalOverdue(id, 2, "Ann")
	require.NoError(t, err)
	return e
}

var dispatcher = access.Grant{User: "1", Name: "dispatcher", Roles: []access.Role{access.Dispatcher}}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		b.Publish(overdue(t, 1)) // before: in the figures and the history, no toast
		p := openTab(t, b)
		p.focused = true
		batches := 0
		leave := p.Subscribe(func() { batches++ })
		s := p.State()
		require.Equal(t, SignedIn, s.Phase)
		require.Equal(t, "dispatcher", s.User.Name)
		require.Equal(t, conn.Live, s.View.Status.State)
		require.Equal(t, "1", s.View.Figures["overdue_rentals"].String())
		require.Len(t, s.View.Events, 1)
		require.Empty(t, s.Toasts)

		for id := range int64(4) {
			b.Publish(overdue(t, id+2))
		}
		settle()
		require.Equal(t, 1, batches, "a burst is one batch")
		s = p.State()
		require.Len(t, s.Toasts, 3)
		require.Equal(t, 1, s.More)
		require.Equal(t, "5", s.View.Figures["overdue_rentals"].String())
		p.Dismiss(s.Toasts[0])
		require.Equal(t, 0, p.State().More)

		p.focused = false
		b.Publish(overdue(t, 9))
		settle()
		require.Len(t, p.State().Toasts, 3, "another tab has the focus")
		require.Len(t, p.State().View.Events, 6)
		leave()

		p.network(false)
		settle()
		require.Equal(t, conn.Offline, p.State().View.Status.State)
		p.network(true)
		settle()
		require.Equal(t, conn.Live, p.State().View.Status.State)

		p.SignOut(t.Context())
		settle()
		s = p.State()
		require.Equal(t, SignedOut, s.Phase)
		require.Equal(t, State{Phase: SignedOut, Users: []string{"dispatcher"}, Tab: "t"}, State{Phase: s.Phase, Users: s.Users, Tab: s.Tab, User: s.User, Sent: s.Sent})
		require.Empty(t, s.View.Events, "nothing of the user stays")
		require.Empty(t, s.Toasts)
		require.Nil(t, p.network)
		p.SignIn(t.Context(), "dispatcher", "")
		settle()
		require.Equal(t, SignedIn, p.State().Phase)
		p.disconnect()
	})
}

func TestBrokerAwayAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		b.SetDown(true)
		p := &tab{}
		p.Live = New(b, Page{HasFocus: func() bool { return true }, WatchNetwork: func(func(bool)) func() { return func() {} }})
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

func TestToastsGoByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		p := openTab(t, b)
		p.focused = true
		e, err := event.RentalStatusUpdated(1, "active", "")
		require.NoError(t, err)
		b.Publish(e)
		settle()
		require.Len(t, p.State().Toasts, 1)
		time.Sleep(6 * time.Second)
		settle()
		require.Empty(t, p.State().Toasts)
		p.disconnect()
	})
}

func TestPublishIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		p := openTab(t, b)
		b.Refuse(&wasmclient.Response{Status: 422, Body: []byte(`{"code":"invalid_event","title":"The event is not valid","errors":[{"pointer":"/data/rental_id","code":"limit","expected":"an integer, at least 1"}]}`)})
		p.Publish(t.Context(), overdue(t, 1))
		require.Equal(t, "The event is not valid. rental_id: expected an integer, at least 1. (invalid_event)", p.State().Sent[0].Error)
		p.ClearHistory()
		require.Empty(t, p.State().Sent)
		p.disconnect()
	})
}

// TestOtherRights: with other roles the app starts over, and shows what the
// user may do now.
func TestOtherRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		p := openTab(t, b)
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

func TestExplain(t *testing.T) {
	require.Contains(t, Explain(errors.New("x")), "(network)")
	require.Equal(t, "No. Ask. (forbidden)", Explain(&wasmclient.Error{Code: "forbidden", Title: "No", Detail: "Ask."}))
}

func TestTellWithoutAConnection(t *testing.T) {
	New(nil, Page{}).Tell(conn.Start{}) // returns
}
