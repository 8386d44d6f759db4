package wasmclient

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// Options of a Client. The zero value of every field but Transport is good.
type Options struct {
	Transport Transport // required
	Filter    filter.Filter
	Grant     access.Grant                  // whose figures are computed
	Ladder    []conn.Transport              // the transports to try, best first; nil is conn.Ladder
	Snapshot  bool                          // keep the state that figures come from
	After     wire.Cursor                   // without Snapshot: where to start; zero: live events only
	Oldest    bool                          // without Snapshot: start from the oldest kept event
	MaxEvents int                           // of the history; 0 is 100
	Backfill  uint64                        // with Snapshot: how many places of the log before it the history begins
	OnEvent   func(store.Received)          // for every event
	OnGap     func(wire.Gap)                // events were lost for good
	OnChange  func()                        // anything that View shows is another
	OnStep    func(conn.Input, conn.Status) // for debugging: every input of the machine
}

// A Client is one connection and its store. Run it once.
type Client struct {
	API
	o      Options
	inputs chan conn.Input // unbuffered: a stream is read as fast as it is taken

	mu          sync.Mutex // guards all below
	machine     *conn.Machine
	store       *store.Store
	transitions []conn.Status // the last of them, oldest first
	subscribers []*subscription
}

type subscription struct {
	types []event.Type
	take  func(store.Received)
}

// New makes a client that is disconnected; Run and Connect it.
func New(o Options) *Client {
	if o.Ladder == nil {
		o.Ladder = conn.Ladder
	}
	return &Client{
		API: API{o.Transport}, o: o, inputs: make(chan conn.Input),
		machine: conn.New(conn.Config{Snapshot: o.Snapshot, Backfill: o.Backfill, After: o.After, Ladder: o.Ladder, Random: rand.Float64}),
		store:   store.New(o.MaxEvents),
	}
}

// A View is what a client knows at a moment.
type View struct {
	Status      conn.Status
	Cursor      wire.Cursor
	Connected   bool
	LastEvent   *store.Received  // nil before the first
	Events      []store.Received // newest first
	Counts      map[event.Type]int
	Total       int
	Figures     map[string]projection.Value // nil before the first snapshot
	Currency    string
	Transitions []conn.Status // the last 50, oldest first
}

// maxTransitions is how many past states are kept for the panel.
const maxTransitions = 50

// View returns what the client knows now. Its parts are not changed later.
func (c *Client) View() View {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.machine.Status()
	v := View{
		Status: status, Cursor: c.machine.Cursor(), Connected: status.Connected(), Events: c.store.Events(),
		Counts: c.store.Counts(), Total: c.store.Total(), Figures: c.store.Figures(c.o.Grant, time.Now()),
		Currency: c.store.Currency(), Transitions: slices.Clone(c.transitions),
	}
	if len(v.Events) > 0 {
		v.LastEvent = &v.Events[0]
	}
	return v
}

// Entities are the last states of things, nil before the first snapshot.
func (c *Client) Entities() []*projection.Entity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.Entities()
}

// Subscribe calls take for every event of the types, all where none is
// named, until the returned function is called.
func (c *Client) Subscribe(take func(store.Received), types ...event.Type) (leave func()) {
	s := &subscription{types, take}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers, s)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.subscribers = slices.DeleteFunc(slices.Clone(c.subscribers), func(other *subscription) bool { return other == s })
	}
}

// On calls take for every event whose payload is a T, such as
// event.PaymentReceivedData, until the returned function is called. Fields that
// the reader may not see are zero. It panics where T is no payload.
func On[T any](c *Client, take func(data T, r store.Received)) (leave func()) {
	t, ok := event.TypeOf[T]()
	if !ok {
		panic(fmt.Sprintf("wasmclient: %T is no payload of an event", *new(T)))
	}
	return c.Subscribe(func(r store.Received) {
		if data, err := event.Decode[T](r.Event); err == nil {
			take(data, r)
		}
	}, t)
}

// ClearHistory empties history and counts.
func (c *Client) ClearHistory() {
	c.mu.Lock()
	c.store.Clear()
	c.mu.Unlock()
	c.changed()
}

// Input tells the machine something: conn.Start connects, or tries at once
// where it waits; conn.Stop, Pause, Resume, Online and GoneOffline do what
// they say. It returns when Run has taken it, or ctx ended.
func (c *Client) Input(ctx context.Context, in conn.Input) error {
	select {
	case c.inputs <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run carries the connection until ctx ends. It starts connected.
func (c *Client) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	d := &driver{Client: c, ctx: ctx, timer: time.NewTimer(time.Hour), aborts: map[int]context.CancelFunc{}}
	d.timer.Stop()
	defer d.attempts.Wait()
	defer cancel()
	d.step(conn.Start{})
	for {
		select {
		case in := <-c.inputs:
			d.step(in)
		case <-d.timer.C:
			d.step(conn.Tick{})
		case <-ctx.Done():
			return
		}
	}
}

// driver carries out effects. Only Run's goroutine uses it.
type driver struct {
	*Client
	ctx      context.Context
	timer    *time.Timer
	aborts   map[int]context.CancelFunc // of the attempts under way; step drops those that have ended
	attempts sync.WaitGroup
}

// loaded is a snapshot on its way to the store, before the machine hears of it.
type loaded struct {
	conn.Snapshot
	snapshot projection.Snapshot
}

func (d *driver) step(in conn.Input) {
	now := time.Now()
	switch in := in.(type) {
	case loaded:
		delete(d.aborts, in.Attempt)
	case conn.Ended:
		delete(d.aborts, in.Attempt)
	}
	d.mu.Lock()
	if l, ok := in.(loaded); ok {
		d.store.Load(l.snapshot, now)
		in = l.Snapshot
	}
	effects := slices.Clone(d.machine.Step(now, in))
	status := d.machine.Status()
	d.mu.Unlock()
	if d.o.OnStep != nil {
		d.o.OnStep(in, status)
	}
	for _, e := range effects {
		d.carryOut(e, now)
	}
	if len(effects) > 0 {
		d.changed()
	}
}

func (c *Client) changed() {
	if c.o.OnChange != nil {
		c.o.OnChange()
	}
}

func (d *driver) carryOut(e conn.Effect, now time.Time) {
	switch e := e.(type) {
	case conn.FetchSnapshot:
		d.attempt(e.Attempt, func(ctx context.Context) conn.Input { return d.fetch(ctx, e.Attempt) })
	case conn.Open:
		d.attempt(e.Attempt, func(ctx context.Context) conn.Input {
			return conn.Ended{Attempt: e.Attempt, Failure: failureOf(d.open(ctx, e))}
		})
	case conn.Abort:
		if abort := d.aborts[e.Attempt]; abort != nil {
			abort()
		}
	case conn.Alarm:
		d.timer.Stop()
		if !e.At.IsZero() {
			d.timer.Reset(time.Until(e.At))
		}
	case conn.Changed:
		d.mu.Lock()
		if len(d.transitions) == maxTransitions {
			d.transitions = d.transitions[1:]
		}
		d.transitions = append(d.transitions, e.Status)
		d.mu.Unlock()
	case conn.Deliver:
		d.deliver(e, now)
	}
}

// attempt runs one attempt beside the loop and feeds its end back.
func (d *driver) attempt(n int, run func(context.Context) conn.Input) {
	ctx, cancel := context.WithCancel(d.ctx)
	d.aborts[n] = cancel
	d.attempts.Go(func() {
		defer cancel()
		in := run(ctx)
		_ = d.Input(d.ctx, in) // fails only when Run ends
	})
}

func (d *driver) fetch(ctx context.Context, attempt int) conn.Input {
	s, err := d.API.Snapshot(ctx)
	if err != nil {
		return conn.Ended{Attempt: attempt, Failure: failureOf(err)}
	}
	return loaded{conn.Snapshot{Attempt: attempt, Cursor: s.Cursor, Grant: s.Grant}, s}
}

func (d *driver) deliver(e conn.Deliver, now time.Time) {
	switch f := e.Frame.(type) {
	case *wire.Gap:
		if d.o.OnGap != nil {
			d.o.OnGap(*f)
		}
	case *wire.Event:
		d.mu.Lock()
		r, news := d.store.Add(f.Event, f.Cursor, now, e.Replayed)
		subscribers := d.subscribers
		d.mu.Unlock()
		if !news {
			return
		}
		if d.o.OnEvent != nil {
			d.o.OnEvent(r)
		}
		for _, s := range subscribers {
			if len(s.types) == 0 || slices.Contains(s.types, r.Type) {
				s.take(r)
			}
		}
	}
}
