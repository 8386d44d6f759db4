package loop

import (
	"cmp"
	"context"
	"fmt"
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
	storage port.Storage // Config.Storage, or a port.Memory
	inputs  chan any     // of senders that may wait; unbuffered: a stream is read as fast as Run handles its frames
	mailbox *mailbox     // of senders that must not wait

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
	Unsaved     bool         // the storage has failed, and has not yet taken what it missed
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
	l := &Loop{cfg: cfg, storage: cfg.Storage, inputs: make(chan any), mailbox: newMailbox()}
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
		l.state.Member = tabs.NewMember(cfg.Page.HasLocks() && cfg.Grant.User != "", cfg.Page.Visible(), cfg.Grace)
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

// Put gives Run an input without waiting for it.
func (l *Loop) Put(in any) { l.mailbox.put(in) }

// UpdateToasts lets f change the queue of toasts.
func (l *Loop) UpdateToasts(f func(q *toast.Queue, now time.Time)) {
	l.Read(func(s *State) { f(&s.Toasts, time.Now()) })
	l.mailbox.put(toastsChanged{})
}

// connected tells whether events come.
func (l *Loop) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Machine.Status().Connected()
}

// changed tells the owner of the client that it shows something else now.
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

// input gives Run an input and waits until Run has received it. The error is ctx's.
func (l *Loop) input(ctx context.Context, in any) error {
	select {
	case l.inputs <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps a transition. cause is the input that led to it.
func (l *Loop) note(now time.Time, status conn.Status, cause any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.state.Transitions) == maxTransitions {
		l.state.Transitions = l.state.Transitions[1:]
	}
	l.state.Transitions = append(l.state.Transitions,
		Transition{now, status, l.state.Member.Role(), fmt.Sprintf("%T", cause)})
}
