// Package live is the bridge from the client to the app: one object outside
// all components that holds the session and its client. Components subscribe
// when they mount and leave when they are dismounted; what happens in between
// reaches them in batches, so that a burst of events costs one render.
package live

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// Surroundings are what the bridge has of the browser.
type Surroundings struct {
	Page      wasmclient.Page
	Storage   wasmclient.Storage
	Grace     time.Duration // of wasmclient.Options, as are:
	MaxToasts int
	OnStep    func(conn.Input, conn.Status) // nil: nobody asked for the debug log
	OnEvent   func(store.Received)
	Badge     func(n int)                  // shows the number of unread errors; nil: nowhere
	Format    event.ToastFormat            // of money and dates in toasts
	Scale     func() float64               // of the time that toasts stay, as toast.Queue.SetScale takes it; nil: 1
	Welcome   func(context.Context, *Live) // called when the broker has confirmed a user; nil: nothing
	Forget    func()                       // drops the page's data of a user outside the storage; nil: nothing
}

// Live is safe for concurrent use.
type Live struct {
	api wasmclient.API
	in  Surroundings

	tabs port.Channel // to the other tabs, of whatever user
	turn sync.Mutex   // held while one user's client is replaced by another's

	mu        sync.Mutex // guards all below
	phase     Phase
	failure   string
	session   wasmclient.Session
	client    *wasmclient.Client
	running   context.Context // the client's life
	leave     func()          // ends it, and waits until it has ended
	unask     func()          // ends the asking who is signed in
	listeners map[int]func()
	nextID    int
	planned   bool // a batch is on its way
	gathered  int  // changes in it
	flood     bool // the last one had very many

	life     context.Context // of the page
	login    bool            // a gateway's sign-in page came in place of the broker's answer
	leftUser string          // the id of the user that has signed out here; "": none
	refused  bool            // the broker refuses the stream
	askPause time.Duration   // before the next request for the session

	left        bool      // the broker is still to hear of a sign-out
	gap         time.Time // events were lost for good then, and the user has not read it
	trends      trends
	preferences notify.Preferences
	agreed      notify.Preferences // what the broker has of them
	learned     bool               // the broker has said so, in this session
	wishing     bool               // it is being told
	wishes      int                // of the user, so far
	unseen      int                // errors, while no tab was looked at
	seenAt      time.Time          // some tab was
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
	Phase   Phase
	Failure string              // why the last thing that the user asked for did not work
	Warning *wasmclient.Warning // of the broker, on who is signed in; nil: none
	// Login tells whether a gateway's sign-in page came in place of the broker's answer. Then the page must reload.
	Login    bool
	Users    []string // who may sign in by name
	SignIn   string   // how one signs in, as wasmclient.Session has it
	User     wasmclient.User
	Tab      string
	View     wasmclient.View
	Entities []*projection.Entity
	Trends   map[string]Trend
	Gap      time.Time // when the browser was told that events can no longer be had; zero: it was not, or the user has read it
}

// batch is how long changes are gathered before components hear of them; in a
// flood, when the last batch had very many, they are gathered for longer: nobody
// reads so fast, and typing must be answered.
const (
	batch      = 50 * time.Millisecond
	floodBatch = 250 * time.Millisecond
	floodOver  = 30 // changes in a batch
)

// New makes the bridge. Start it once the page runs.
func New(t wasmclient.Transport, in Surroundings) *Live {
	if in.Storage == nil {
		in.Storage = &wasmclient.Memory{}
	}
	l := &Live{api: wasmclient.API{Transport: t}, in: in, listeners: map[int]func(){}, seenAt: time.Now()}
	if in.Page != nil {
		l.tabs = in.Page.Channel(sessionChannel, l.told)
		if in.Badge != nil {
			in.Page.Watch(func(e port.PageEvent) {
				if e == port.Appeared {
					go l.tell(errorsSeen)
					go l.seen()
				}
			})
		}
	}
	return l
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
	l.gathered++
	if l.planned {
		return
	}
	l.planned = true
	wait := batch
	if l.flood {
		wait = floodBatch
	}
	time.AfterFunc(wait, func() {
		l.mu.Lock()
		l.planned, l.flood, l.gathered = false, l.gathered > floodOver, 0
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
	s := State{Phase: l.phase, Failure: l.failure, Warning: l.session.Warning, Login: l.login, Users: l.session.Users,
		SignIn: l.session.SignIn, Tab: l.in.Page.Tab()}
	if l.session.User != nil {
		s.User = *l.session.User
	}
	if l.client != nil {
		s.View, s.Entities = l.client.View(), l.client.Entities()
		if s.View.Connected && s.View.AsOf.IsZero() && s.View.Figures != nil {
			l.noteTrendsLocked(s.View.Figures, time.Now())
		}
		s.Login = s.Login || s.View.Status.Code == conn.LoginRedirect
		s.Trends, s.Gap = l.trends.copyOf(), l.gap
	}
	return s
}

func (l *Live) set(f func()) {
	l.mu.Lock()
	f()
	l.mu.Unlock()
	l.changed()
}

// connectLocked starts a client for the session's user.
func (l *Live) connectLocked() {
	ctx, cancel := context.WithCancel(context.Background())
	grant := l.session.Grant
	l.learned, l.wishing = false, false
	c := wasmclient.New(wasmclient.Options{
		Transport: l.api.Transport, Grant: l.session.User.Grant(), Snapshot: true, Backfill: store.DefaultMax, Toasts: true, MaxToasts: l.in.MaxToasts,
		Page: l.in.Page, Storage: l.in.Storage, Grace: l.in.Grace, OnChange: l.changed, OnEvent: l.onEvent,
		OnGap:  func(wire.Gap) { l.set(func() { l.gap = time.Now() }) },
		OnStep: func(in conn.Input, s conn.Status) { l.onStep(ctx, grant, in, s) },
	})
	c.WithToasts(func(q *toast.Queue, _ time.Time) {
		q.SetFormat(l.in.Format)
		if l.in.Scale != nil {
			q.SetScale(l.in.Scale())
		}
	})
	done := make(chan struct{})
	l.client, l.running = c, ctx
	l.leave = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	go l.loadTrends(grant)
	go l.learnPreferences(ctx, grant)
}

// onStep hears every step of the connection. A sign-out in another tab of the
// same session is one here too, and so is a change of what the user may see:
// nothing of before may stay on the screen.
func (l *Live) onStep(connection context.Context, grant string, in conn.Input, s conn.Status) {
	if l.in.OnStep != nil {
		l.in.OnStep(in, s)
	}
	if s.Connected() {
		l.mu.Lock()
		l.askPause = 0
		l.mu.Unlock()
	}
	snapshot, _ := in.(conn.Snapshot)
	signedOut := s.State == conn.Denied && s.Code == string(wire.ByeSignedOut)
	if (signedOut || s.Code == string(wire.ByeRegrant) || snapshot.Grant != "" && snapshot.Grant != grant) && connection.Err() == nil {
		go l.forgetOnce(connection, signedOut)
		return
	}
	l.mu.Lock()
	refused := s.State == conn.Denied && s.Code != problem.CodeForbidden
	news := refused && !l.refused && connection == l.running
	l.refused = refused
	l.mu.Unlock()
	if news {
		go l.askOn()
	}
}

// Client is the user's, nil while nobody is signed in.
func (l *Live) Client() *wasmclient.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

// Back is called when the broker can be reached again: what failed meanwhile is
// no longer so, and what was not learnt is.
func (l *Live) Back() {
	l.mu.Lock()
	l.failure = ""
	ctx, grant, learned := l.running, l.session.Grant, l.learned || l.wishing || l.client == nil
	l.mu.Unlock()
	if !learned {
		go l.learnPreferences(ctx, grant)
	}
}

// GapRead notes that the user has read of the gap.
func (l *Live) GapRead() { l.set(func() { l.gap = time.Time{} }) }

// With does something with the client, if there is one.
func (l *Live) With(do func(c *wasmclient.Client)) {
	if c := l.Client(); c != nil {
		do(c)
	}
}

// Publish puts an event into the outbox.
func (l *Live) Publish(ctx context.Context, e event.Event) {
	l.With(func(c *wasmclient.Client) {
		if _, err := c.Publish(ctx, e); err != nil {
			l.set(func() { l.failure = Explain(err) })
		}
	})
}

// Toasts lets f change the toasts.
func (l *Live) Toasts(f func(q *toast.Queue, now time.Time)) {
	l.With(func(c *wasmclient.Client) { c.WithToasts(f) })
}

// Report is the last 200 changes of state as text, for a report of a fault.
func (l *Live) Report() string {
	text, err := json.MarshalIndent(l.Transitions(), "", " ")
	if err != nil {
		panic(err) // our own types
	}
	return string(text)
}

// Transitions are the last changes of state, oldest first.
func (l *Live) Transitions() (all []wasmclient.Transition) {
	l.With(func(c *wasmclient.Client) { all = c.Transitions() })
	return all
}
