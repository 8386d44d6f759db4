package live

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/fake"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// jar is a broker with a cookie: the session of the user that signed in last.
type jar struct {
	mu      sync.Mutex
	brokers map[string]*fake.Broker
	user    string // the key in brokers of the user that is signed in; empty if none is
}

var refused = *fake.Refusal(401, "sign_in_required")

var second = access.Grant{User: "9", Name: "second", Roles: []access.Role{access.Dispatcher}}

// signedInUser returns the key of the user that is signed in, or "".
func (j *jar) signedInUser() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.user
}

// setUser gives the cookie to a user; empty takes it away.
func (j *jar) setUser(user string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.user = user
}

func (j *jar) Do(ctx context.Context, r wasmclient.Request) (wasmclient.Response, error) {
	user := j.signedInUser()
	if strings.HasPrefix(r.Path, "/api/session") {
		switch r.Method {
		case "POST":
			var in struct{ User string }
			_ = json.Unmarshal(r.Body, &in)
			j.setUser(in.User)
			return j.brokers[in.User].Do(ctx, r)
		case "DELETE":
			j.setUser("") // the bye of the broker comes later than the answer
			return wasmclient.Response{Status: 204}, nil
		}
		if user == "" {
			raw, _ := json.Marshal(wasmclient.Session{Users: []string{"x"}})
			return wasmclient.Response{Status: 200, ContentType: "application/json", Body: raw}, nil
		}
		return j.brokers[user].Do(ctx, r)
	}
	if user == "" {
		return refused, nil
	}
	return j.brokers[user].Do(ctx, r)
}

func (j *jar) Stream(
	ctx context.Context, r wasmclient.Request, handle func([]byte) error,
) (wasmclient.Response, error) {
	user := j.signedInUser()
	if user == "" {
		return refused, nil
	}
	return j.brokers[user].Stream(ctx, r, handle)
}

func (j *jar) Socket(context.Context, string, func([]byte) error) error {
	return port.ErrNoUpgrade
}

func openJar(t *testing.T, j *jar, in *fake.Browser, s wasmclient.Storage) *window {
	w := &window{Tab: in.NewTab()}
	w.Live = New(j, Environment{Page: w.Tab, Storage: s})
	go w.Start(t.Context())
	settle()
	t.Cleanup(w.disconnect)
	return w
}

func newJar() *jar {
	return &jar{
		user:    "first",
		brokers: map[string]*fake.Broker{"first": fake.New(dispatcher), "second": fake.New(second)},
	}
}

// After a sign-out in the leader, the follower leads for a moment without a session.
func TestSignOutInLeaderLeavesNoData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		a := openJar(t, j, in, st)
		b := openJar(t, j, in, st)
		j.brokers["first"].Publish(overdue(t, 1))
		settle()
		a.SignOut(t.Context())
		settle()
		time.Sleep(time.Minute)
		settle()
		s := b.State()
		all, _ := st.Load(t.Context(), "")
		for k := range all {
			t.Log("on disk:", k)
		}
		require.Empty(t, all)
		require.Empty(t, s.View.Events)
	})
}

// The broker does not inform a paused tab of the sign-out.
func TestSignOutWithPausedTabLeavesNoData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		a := openJar(t, j, in, st)
		b := openJar(t, j, in, st)
		j.brokers["first"].Publish(overdue(t, 1))
		settle()
		b.WithClient((*wasmclient.Client).Pause)
		settle()
		a.SignOut(t.Context())
		settle()
		b.Happen(port.Vanished)
		settle()
		all, _ := st.Load(t.Context(), "")
		for k := range all {
			t.Log("on disk:", k)
		}
		require.Empty(t, all)
	})
}

func TestOutboxIsNeverSentAsAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		a := openJar(t, j, in, st)
		b := openJar(t, j, in, st)
		// the session ends (expired); user one writes in B
		j.setUser("")
		j.brokers["first"].Cut()
		settle()
		b.Publish(t.Context(), overdue(t, 1))
		settle()
		require.Equal(t, 1, b.State().View.Unsent())
		// in A the next person signs in
		a.Reauthenticate(t.Context())
		settle()
		require.Equal(t, SignedOut, a.State().Phase)
		a.SignIn(t.Context(), "second", "")
		time.Sleep(2 * time.Minute)
		settle()
		require.Empty(t, j.brokers["second"].Events(), "the first user's event was published as the second user")
	})
}

// A tab that was denied must not lead, or the tab that signs in again would wait for it.
func TestReauthenticationIsNotHeldUpByADeniedTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, in, st := newJar(), &fake.Browser{}, &wasmclient.Memory{}
		a := openJar(t, j, in, st)
		b := openJar(t, j, in, st)
		j.setUser("")
		j.brokers["first"].Cut()
		time.Sleep(10 * time.Second)
		settle()
		require.Equal(t, conn.Denied, a.State().View.Status.State)
		require.Equal(t, conn.Denied, b.State().View.Status.State)
		b.Reauthenticate(t.Context())
		settle()
		b.SignIn(t.Context(), "first", "")
		time.Sleep(2 * time.Minute)
		settle()
		require.Equal(t, SignedIn, b.State().Phase)
		require.Equal(t, conn.Live, b.State().View.Status.State)
	})
}

func TestAppDoesNotOpenOfflineForASignedOutUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, st := newJar(), &wasmclient.Memory{}
		a := openJar(t, j, &fake.Browser{}, st)
		j.brokers["first"].Publish(overdue(t, 1))
		time.Sleep(time.Minute)
		a.disconnect()
		j.setUser("")
		a = openJar(t, j, &fake.Browser{}, st)
		require.Equal(t, SignedOut, a.State().Phase)
		for _, b := range j.brokers {
			b.SetDown(true)
		}
		j.setUser("first") // so that session goes to the broker that is down
		a = openJar(t, j, &fake.Browser{}, st)
		s := a.State()
		require.NotEqual(t, SignedIn, s.Phase,
			"the broker has said that no user is signed in; now %d entities of %s are shown",
			len(s.Entities), s.User.Name)
	})
}

// hungStorage does not answer until it is released.
type hungStorage struct {
	wasmclient.Memory
	released chan struct{}
}

func (h *hungStorage) Load(ctx context.Context, _ string) (map[string][]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (h *hungStorage) Save(ctx context.Context, _ string, _ []byte) error {
	select {
	case <-ctx.Done():
	case <-h.released:
	}
	return nil
}

func TestAppOpensWithAStorageThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fake.New(dispatcher)
		w := &window{Tab: (&fake.Browser{}).NewTab()}
		storage := &hungStorage{released: make(chan struct{})}
		w.Live = New(b, Environment{Page: w.Tab, Storage: storage})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Start(ctx)
		time.Sleep(time.Hour)
		settle()
		phase := w.State().Phase
		close(storage.released)
		settle()
		w.disconnect()
		require.Equal(t, SignedIn, phase)
	})
}

func TestItemWrittenOfflineAfterAReloadNamesItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := fake.New(dispatcher), &wasmclient.Memory{}
		p := openTab(t, b, &fake.Browser{}, st)
		b.Publish(overdue(t, 1))
		time.Sleep(time.Minute)
		p.disconnect()
		b.SetDown(true)
		p, reload := visit(t, b, st)
		p.Publish(t.Context(), overdue(t, 1))
		settle()
		item := p.State().View.Outbox[0]
		reload()
		require.NotZero(t, item.Based, "the item does not name the state on which it is based")
	})
}

func TestPublishAfterSignOutIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := fake.New(dispatcher), &wasmclient.Memory{}
		p := openTab(t, b, &fake.Browser{}, st)
		c := p.Client()
		p.SignOut(t.Context())
		_, err := c.Publish(t.Context(), overdue(t, 1))
		require.ErrorIs(t, err, wasmclient.ErrEnded)
		all, err := st.Load(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

// slowSession holds back the next answer of GET /api/session at its gate.
type slowSession struct {
	*jar
	gate atomic.Pointer[chan struct{}]
}

func (s *slowSession) Do(ctx context.Context, r wasmclient.Request) (wasmclient.Response, error) {
	a, err := s.jar.Do(ctx, r)
	if r.Method == "GET" && r.Path == "/api/session" {
		if gate := s.gate.Swap(nil); gate != nil {
			<-*gate
		}
	}
	return a, err
}

// openingDelete opens the gate with the next Delete.
type openingDelete struct {
	wasmclient.Memory
	gate atomic.Pointer[chan struct{}]
}

func (s *openingDelete) Delete(ctx context.Context, p string) error {
	if gate := s.gate.Swap(nil); gate != nil {
		close(*gate)
	}
	return s.Memory.Delete(ctx, p)
}

// The answer to a request for the session from before the sign-out must not sign the user in.
func TestSignOutDuringARequestForTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, st := newJar(), &openingDelete{}
		s := &slowSession{jar: j}
		w := &window{Tab: (&fake.Browser{}).NewTab()}
		w.Live = New(s, Environment{Page: w.Tab, Storage: st})
		w.Start(t.Context())
		settle()
		w.disconnect()
		j.brokers["first"].SetDown(true)
		w = &window{Tab: (&fake.Browser{}).NewTab()}
		w.Live = New(s, Environment{Page: w.Tab, Storage: st})
		go w.Start(t.Context())
		settle()
		require.Equal(t, SignedIn, w.State().Phase)
		j.brokers["first"].SetDown(false)
		gate := make(chan struct{})
		s.gate.Store(&gate)
		st.gate.Store(&gate)
		time.Sleep(sessionRetry)
		settle()
		time.Sleep(60 * time.Millisecond) // the request is on its way
		w.SignOut(t.Context())
		time.Sleep(10 * time.Second)
		settle()
		all, err := st.Load(t.Context(), "")
		require.NoError(t, err)
		w.disconnect()
		require.Empty(t, all)
		require.Equal(t, SignedOut, w.State().Phase)
	})
}
