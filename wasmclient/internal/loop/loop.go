package loop

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/store"
	"github.com/snd-rental/yardline/wasmclient/tabs"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A Loop is a connection to a broker, or a tab's share of one, with the store that it feeds. Call [Loop.Run] once.
type Loop struct {
	cfg     Config
	storage port.Storage // cfg.Storage, or a port.Memory

	// messages has the messages of senders that may wait. It is unbuffered, so that a stream is read only as fast
	// as Run handles its frames.
	messages chan message

	// mailbox has the messages of senders that must not wait.
	mailbox *mailbox[message]

	mu    sync.Mutex
	state State // guarded by mu
}

// State is what callers of the client may see at any time. Run's goroutine changes it.
type State struct {
	Machine     *conn.Machine
	Member      *tabs.Member
	Store       *store.Store
	AsOf        time.Time // when the restored state was true; zero once the broker's snapshot is there
	Toasts      toast.Queue
	Outbox      outbox.Machine
	Lost        int          // items that an emptied storage had; 0 once the user has read about them
	Unsaved     bool         // the storage has failed, and has not yet stored what it missed
	Transitions []Transition // the last maxTransitions, oldest first
	Ended       bool         // Run has returned

	storageFailures int
	subscriptions   []*subscription
}

// A Transition is a change of the connection's status. wasmclient.Transition documents the fields.
type Transition struct {
	At     time.Time
	Status conn.Status
	Role   tabs.Role
	Cause  string
}

// maxTransitions is how many transitions are kept.
const maxTransitions = 200

// New returns a loop that is disconnected until Run.
func New(cfg Config) *Loop {
	if cfg.Ladder == nil {
		cfg.Ladder = conn.DefaultLadder
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	cfg.Grace = cmp.Or(cfg.Grace, DefaultGrace)
	l := &Loop{cfg: cfg, storage: cfg.Storage, messages: make(chan message), mailbox: newMailbox[message]()}
	if l.storage == nil {
		l.storage = &port.Memory{}
	}
	l.state.Machine = conn.New(conn.Config{
		Snapshot: cfg.Snapshot,
		Backfill: cfg.Backfill,
		After:    cfg.After,
		Ladder:   cfg.Ladder,
		Random:   cfg.Random,
	})
	l.state.Store = store.New(cfg.MaxEvents)
	l.state.Toasts.SetMax(time.Now(), cfg.MaxToasts)
	l.state.Member = tabs.NewMember(false, true, cfg.Grace)
	// The tabs of one user share a connection. Without the user's name the tab stays alone.
	if cfg.Page != nil {
		l.state.Member = tabs.NewMember(cfg.Page.HasLocks() && cfg.Grant.User != "", cfg.Page.IsVisible(), cfg.Grace)
	}
	return l
}

// Read calls f with the state. f must not keep the state, and must not call the loop.
func (l *Loop) Read(f func(*State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.state)
}

// Update is Read for an f that changes what the client shows: it calls Config.OnChange afterwards.
func (l *Loop) Update(f func(*State)) {
	l.Read(f)
	l.changed()
}

// Command gives the connection's machine a command of the user: conn.Start, Stop, Pause or Resume. It does not wait.
func (l *Loop) Command(in conn.Input) { l.mailbox.put(connMessage{in}) }

// Reconnect drops the connection and makes another one. It does not wait.
func (l *Loop) Reconnect() { l.mailbox.put(reconnect{}) }

// CommandOutbox gives the outbox a command of the user: outbox.Retry or Discard. It does not wait.
func (l *Loop) CommandOutbox(in outbox.Input) { l.mailbox.put(outboxMessage{in}) }

// UpdateToasts lets f change the queue of toasts.
func (l *Loop) UpdateToasts(f func(q *toast.Queue, now time.Time)) {
	l.Read(func(s *State) { f(&s.Toasts, time.Now()) })
	l.mailbox.put(toastsChanged{})
}

// isConnected reports whether events arrive.
func (l *Loop) isConnected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Machine.Status().Connected()
}

// changed calls Config.OnChange. The caller must not hold l.mu.
func (l *Loop) changed() {
	if l.cfg.OnChange != nil {
		l.cfg.OnChange()
	}
}

// end notes that Run is over.
func (l *Loop) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Ended = true
}

// send sends a message to Run, and waits until Run has received it. The error is ctx's.
func (l *Loop) send(ctx context.Context, m message) error {
	select {
	case l.messages <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// addTransition records a change of the connection's status. cause is the result of causeOf for the message
// that led to the change.
func (l *Loop) addTransition(now time.Time, status conn.Status, cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.state.Transitions) == maxTransitions {
		l.state.Transitions = l.state.Transitions[1:]
	}
	l.state.Transitions = append(l.state.Transitions,
		Transition{now, status, l.state.Member.Role(), cause})
}
