// Package live is the bridge from the client to the app: one object outside
// all components that holds the session, the connection and the toasts.
// Components subscribe when they mount and leave when they are dismounted;
// what happens in between reaches them in batches, so that a burst of events
// costs one render.
package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Page is what the bridge asks of the page that it is in.
type Page struct {
	Tab          string                                        // names the tab
	HasFocus     func() bool                                   // the tab is the one in use
	WatchNetwork func(changed func(online bool)) (stop func()) // the browser's word on the network
	Debug        func(in conn.Input, s conn.Status)            // nil: none
}

// Live is safe for concurrent use.
type Live struct {
	api  wasmclient.API
	page Page

	mu        sync.Mutex // guards all below
	phase     Phase
	failure   string
	session   wasmclient.Session
	client    *wasmclient.Client
	running   context.Context // the client's life
	leave     func()          // ends it
	toasts    toast.Queue
	toastTick *time.Timer
	sent      []Sent
	listeners map[int]func()
	nextID    int
	planned   bool // a batch is on its way
}

// Phase is how far the app is with knowing its user.
type Phase int

// The phases.
const (
	Loading   Phase = iota // asking who is signed in
	Failed                 // the broker did not answer; it is asked again
	SignedOut              //
	SignedIn               //
)

// State is everything that pages show, at one moment.
type State struct {
	Phase    Phase
	Failure  string   // why the last thing that the user asked for did not work
	Users    []string // who may sign in by name
	SignIn   string   // how one signs in, as wasmclient.Session has it
	User     wasmclient.User
	Tab      string
	View     wasmclient.View
	Entities []*projection.Entity
	Toasts   []toast.Toast
	More     int
	Sent     []Sent // newest first
}

// A Sent is an event that this tab published, or tried to.
type Sent struct {
	Type    event.Type
	Receipt wasmclient.Receipt
	Error   string        // "" where it was stored
	Took    time.Duration // until the answer
}

// batch is how long changes are gathered before components hear of them.
const batch = 50 * time.Millisecond

// New makes the bridge. Start it once the page runs.
func New(t wasmclient.Transport, p Page) *Live {
	return &Live{api: wasmclient.API{Transport: t}, page: p, listeners: map[int]func(){}}
}

// Subscribe calls changed, from a goroutine of its own, after every batch of
// changes, until leave is called.
func (l *Live) Subscribe(changed func()) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.nextID
	l.nextID++
	l.listeners[id] = changed
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.listeners, id)
	}
}

// changed plans a batch, unless one is on its way.
func (l *Live) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.planned {
		return
	}
	l.planned = true
	time.AfterFunc(batch, func() {
		l.mu.Lock()
		l.planned = false
		listeners := make([]func(), 0, len(l.listeners))
		for _, f := range l.listeners {
			listeners = append(listeners, f)
		}
		l.mu.Unlock()
		for _, f := range listeners {
			f()
		}
	})
}

// State returns what there is to show. Its parts are not changed later.
func (l *Live) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := State{Phase: l.phase, Failure: l.failure, Users: l.session.Users, SignIn: l.session.SignIn, Tab: l.page.Tab,
		Toasts: l.toasts.Visible(), More: l.toasts.More(), Sent: l.sent}
	if l.session.User != nil {
		s.User = *l.session.User
	}
	if l.client != nil {
		s.View, s.Entities = l.client.View(), l.client.Entities()
	}
	return s
}

// sessionRetry is how long to wait before the broker is asked again who is
// signed in.
const sessionRetry = 3 * time.Second

// Start finds out who is signed in, and connects if somebody is. It returns
// once that is known.
func (l *Live) Start(ctx context.Context) {
	for ctx.Err() == nil {
		s, err := l.api.Session(ctx)
		if err == nil {
			l.use(s)
			return
		}
		l.set(func() { l.phase = Failed })
		timer := time.NewTimer(sessionRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (l *Live) set(f func()) {
	l.mu.Lock()
	f()
	l.mu.Unlock()
	l.changed()
}

// use takes over a session: nothing of an earlier user's stays.
func (l *Live) use(s wasmclient.Session) {
	l.disconnect()
	l.set(func() {
		l.session, l.failure = s, ""
		l.phase = SignedOut
		if s.User != nil {
			l.phase = SignedIn
			l.connectLocked()
		}
	})
}

// connectLocked starts a client for the session's user.
func (l *Live) connectLocked() {
	ctx, cancel := context.WithCancel(context.Background())
	o := wasmclient.Options{Transport: l.api.Transport, Grant: l.session.User.Grant(), Snapshot: true, Backfill: store.DefaultMax,
		OnEvent: func(r store.Received) { l.onEvent(ctx, r) }, OnChange: l.changed}
	grant := l.session.Grant
	o.OnStep = func(in conn.Input, s conn.Status) { l.onStep(ctx, grant, in, s) }
	c := wasmclient.New(o)
	network := make(chan bool, 32) // changes in their order: the watcher must not wait
	unwatch := l.page.WatchNetwork(func(online bool) {
		select {
		case network <- online:
		default: // more than anybody's network can do
		}
	})
	go followNetwork(ctx, c, network)
	l.client, l.running = c, ctx
	l.leave = func() {
		cancel()
		unwatch()
	}
	go c.Run(ctx)
}

// onStep hears every step of the connection. A sign-out in another tab of the
// same session is one here too, and so is a change of what the user may see:
// nothing of before may stay on the screen.
func (l *Live) onStep(connection context.Context, grant string, in conn.Input, s conn.Status) {
	if l.page.Debug != nil {
		l.page.Debug(in, s)
	}
	snapshot, _ := in.(conn.Snapshot)
	over := s.State == conn.Denied && s.Code == string(wire.ByeSignedOut) || s.Code == string(wire.ByeRegrant) || snapshot.Grant != "" && snapshot.Grant != grant
	if over && connection.Err() == nil {
		go l.forgetOnce(connection)
	}
}

// followNetwork tells a client what the browser says of the network.
func followNetwork(ctx context.Context, c *wasmclient.Client, network <-chan bool) {
	for {
		in := conn.Input(conn.Online{})
		select {
		case online := <-network:
			if !online {
				in = conn.GoneOffline{}
			}
		case <-ctx.Done():
			return
		}
		if c.Input(ctx, in) != nil {
			return
		}
	}
}

func (l *Live) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leave != nil {
		l.leave()
	}
	l.client, l.leave, l.sent, l.toasts = nil, nil, nil, toast.Queue{}
}

// SignIn signs in; demo users have no password.
func (l *Live) SignIn(ctx context.Context, user, password string) {
	s, err := l.api.SignIn(ctx, user, password)
	if err != nil {
		l.set(func() { l.failure = Explain(err) })
		return
	}
	l.use(s)
}

// SignOut ends the session and forgets everything of it.
func (l *Live) SignOut(ctx context.Context) {
	if err := l.api.SignOut(ctx); err != nil {
		l.set(func() { l.failure = Explain(err) })
		return
	}
	l.forget(ctx)
}

// forgetOnce is forget, unless the connection is no longer the present one.
func (l *Live) forgetOnce(connection context.Context) {
	l.mu.Lock()
	present := l.running == connection && connection.Err() == nil
	if present {
		l.leave()
	}
	l.mu.Unlock()
	if present {
		l.forget(context.Background())
	}
}

// forget drops everything of the user and asks anew who is signed in.
func (l *Live) forget(ctx context.Context) {
	l.disconnect()
	l.set(func() { l.phase, l.session.User = Loading, nil })
	l.Start(ctx)
}

// Tell gives the connection an input, such as conn.Start to try at once. It
// returns when the connection has taken it, or is no more.
func (l *Live) Tell(in conn.Input) {
	l.mu.Lock()
	c, ctx := l.client, l.running
	l.mu.Unlock()
	if c != nil {
		_ = c.Input(ctx, in) // fails only with the connection
	}
}

// ClearHistory empties history and counts.
func (l *Live) ClearHistory() {
	l.mu.Lock()
	c := l.client
	l.sent = nil
	l.mu.Unlock()
	if c != nil {
		c.ClearHistory()
	}
}

// maxSent is how many results of publishing are kept.
const maxSent = 20

// Publish sends an event and notes what came of it.
func (l *Live) Publish(ctx context.Context, e event.Event) {
	start := time.Now()
	receipt, err := l.api.Publish(ctx, e)
	sent := Sent{Type: e.Type, Receipt: receipt, Took: time.Since(start)}
	if err != nil {
		sent.Error = Explain(err)
	}
	l.set(func() {
		l.sent = slices.Concat([]Sent{sent}, l.sent[:min(len(l.sent), maxSent-1)])
	})
}

// onEvent makes a toast in the tab that is in use, of what is news.
func (l *Live) onEvent(connection context.Context, r store.Received) {
	if r.Replayed || !l.page.HasFocus() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if connection.Err() != nil {
		return // it was for a user who has left
	}
	self := false
	if u := l.session.User; u != nil {
		_, self = access.PersonView(u.Grant(), r.Event)
	}
	l.toasts.Add(time.Now(), r.Event, self)
	l.planToastsLocked()
}

// planToastsLocked sees to it that toasts go when their time is over.
func (l *Live) planToastsLocked() {
	if l.toastTick != nil {
		l.toastTick.Stop()
	}
	if next := l.toasts.Next(); !next.IsZero() {
		l.toastTick = time.AfterFunc(time.Until(next), func() {
			l.set(func() {
				l.toasts.Advance(time.Now())
				l.planToastsLocked()
			})
		})
	}
}

// Dismiss removes a toast.
func (l *Live) Dismiss(t toast.Toast) {
	l.set(func() {
		l.toasts.Dismiss(time.Now(), t.Key)
		l.planToastsLocked()
	})
}
