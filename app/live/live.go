package live

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A Live holds the session of the user and the user's client. It is safe for concurrent use.
type Live struct {
	api wasmclient.API
	env Environment

	channel   port.Channel // to the other tabs of the browser, of any user
	replacing sync.Mutex   // held while a client is replaced, and while data of its user is stored

	mu            sync.Mutex // guards all fields below
	phase         Phase
	failure       string // why the user's last action failed
	session       wasmclient.Session
	gatewaySignIn bool // a gateway answered with its sign-in page in place of the broker

	client        *wasmclient.Client // nil while no user is signed in
	clientCtx     context.Context    // ends when the client is stopped
	stopClient    func()             // stops the client, and waits until it has ended
	streamRefused bool               // the broker refuses the client's stream
	gapAt         time.Time          // when the client learned that events were lost; zero if the user knows

	pageCtx        context.Context // ends with the page; nil before Start
	cancelAsking   func()          // stops the requests for the session; nil before the first one
	sessionPause   time.Duration   // the pause before the next request for the session
	signedOutUser  string          // the id of the user that has signed out here; empty if none has
	signOutPending bool            // the broker has not answered the sign-out yet

	listeners    map[int]func()
	nextListener int
	batchPlanned bool // a batch of changes is planned
	changeCount  int  // the number of changes in it
	isFlood      bool // the last batch had very many changes

	trends trends

	preferences       notify.Preferences // as they apply in this tab
	savedPreferences  notify.Preferences // as the broker has them
	preferencesKnown  bool               // the broker's preferences are known in this session
	savingPreferences bool               // a goroutine sends preferences to the broker
	preferenceChanges int                // the number of changes by the user so far

	unseenErrors int       // the errors that came while all tabs were hidden
	errorsSeenAt time.Time // when the user last looked at a tab
}

// New makes a Live that has not started. Call Start once the page runs.
func New(t wasmclient.Transport, env Environment) *Live {
	if env.Storage == nil {
		env.Storage = &wasmclient.Memory{}
	}
	l := &Live{api: wasmclient.API{Transport: t}, env: env, listeners: map[int]func(){}, errorsSeenAt: time.Now()}
	if env.Page != nil {
		l.channel = env.Page.Channel(sessionChannel, l.handleBroadcast)
		if env.SetBadge != nil {
			env.Page.Watch(func(e port.PageEvent) {
				if e == port.Appeared {
					go l.broadcast(errorsSeen)
					go l.markErrorsSeen()
				}
			})
		}
	}
	return l
}

// connectLocked starts a client for the session's user. The caller must hold l.mu.
func (l *Live) connectLocked() {
	ctx, cancel := context.WithCancel(context.Background())
	grant := l.session.Grant
	l.preferencesKnown, l.savingPreferences = false, false
	c := wasmclient.New(wasmclient.Options{
		Transport: l.api.Transport,
		Grant:     l.session.User.Grant(),
		Snapshot:  true,
		Backfill:  store.DefaultMax,
		Toasts:    true,
		MaxToasts: l.env.MaxToasts,
		Page:      l.env.Page,
		Storage:   l.env.Storage,
		Grace:     l.env.Grace,
		OnChange:  l.notify,
		OnEvent:   l.handleEvent,
		OnGap:     func(wire.Gap) { l.set(func() { l.gapAt = time.Now() }) },
		OnStep:    func(in conn.Input, s conn.Status) { l.handleStep(ctx, grant, in, s) },
	})
	c.UpdateToasts(func(q *toast.Queue, _ time.Time) {
		q.SetFormat(l.env.ToastFormat)
		if l.env.ToastScale != nil {
			q.SetScale(l.env.ToastScale())
		}
	})
	done := make(chan struct{})
	l.client, l.clientCtx = c, ctx
	l.stopClient = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	go l.loadTrends(grant)
	go l.loadPreferences(ctx, grant)
}

// handleStep handles a step of the connection. If the user has signed out in another tab, or may
// see other data now, the earlier data must leave the screen.
func (l *Live) handleStep(clientCtx context.Context, grant string, in conn.Input, s conn.Status) {
	if l.env.OnStep != nil {
		l.env.OnStep(in, s)
	}
	if s.Connected() {
		l.mu.Lock()
		l.sessionPause = 0
		l.mu.Unlock()
	}
	snapshot, _ := in.(conn.Snapshot)
	isSignedOut := s.State == conn.Denied && s.Code == string(wire.ByeSignedOut)
	isRegranted := s.Code == string(wire.ByeRegrant) || snapshot.Grant != "" && snapshot.Grant != grant
	if (isSignedOut || isRegranted) && clientCtx.Err() == nil {
		go l.forgetIfCurrent(clientCtx, isSignedOut)
		return
	}
	l.mu.Lock()
	isRefused := s.State == conn.Denied && s.Code != problem.CodeForbidden
	becomesRefused := isRefused && !l.streamRefused && clientCtx == l.clientCtx
	l.streamRefused = isRefused
	l.mu.Unlock()
	if becomesRefused {
		go l.pollSession()
	}
}

// Client returns the user's client, nil while no user is signed in.
func (l *Live) Client() *wasmclient.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

// HandleBrokerBack must be called when the broker can be reached again. It clears the last failure, and
// asks for the preferences if the broker could not be asked before.
func (l *Live) HandleBrokerBack() {
	l.mu.Lock()
	l.failure = ""
	ctx, grant := l.clientCtx, l.session.Grant
	isKnown := l.preferencesKnown || l.savingPreferences || l.client == nil
	l.mu.Unlock()
	if !isKnown {
		go l.loadPreferences(ctx, grant)
	}
}

// DismissGap hides the message about lost events.
func (l *Live) DismissGap() { l.set(func() { l.gapAt = time.Time{} }) }

// WithClient calls do with the user's client, if a user is signed in.
func (l *Live) WithClient(do func(c *wasmclient.Client)) {
	if c := l.Client(); c != nil {
		do(c)
	}
}

// Publish puts an event into the outbox. It does nothing while no user is signed in. State.Failure
// reports an error.
func (l *Live) Publish(ctx context.Context, e event.Event) {
	l.WithClient(func(c *wasmclient.Client) {
		if _, err := c.Publish(ctx, e); err != nil {
			l.set(func() { l.failure = Explain(err) })
		}
	})
}

// UpdateToasts lets f change the toasts.
func (l *Live) UpdateToasts(f func(q *toast.Queue, now time.Time)) {
	l.WithClient(func(c *wasmclient.Client) { c.UpdateToasts(f) })
}

// Report returns the last 200 changes of the connection's state as JSON, for the report of a fault.
func (l *Live) Report() string {
	text, err := json.MarshalIndent(l.Transitions(), "", " ")
	if err != nil {
		panic(err) // our own types
	}
	return string(text)
}

// Transitions returns the last changes of the connection's state, oldest first.
func (l *Live) Transitions() (all []wasmclient.Transition) {
	l.WithClient(func(c *wasmclient.Client) { all = c.Transitions() })
	return all
}
