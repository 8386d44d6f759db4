package loop

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// driver carries out effects of the machines. Only Run's goroutine uses it.
type driver struct {
	*Loop
	ctx      context.Context
	timer    alarm                      // of the connection
	clock    alarm                      // to look at the clock
	looked   time.Time                  // when it was
	aborts   map[int]context.CancelFunc // of the attempts under way
	attempts sync.WaitGroup
	group    *group // nil without a page
	keeper   keeper
	looking  attention
	cause    any // the input that is being taken
}

// clockEvery is how often the clock is looked at, and slept how far it must
// have jumped beyond what the slowed timers of a hidden page explain.
const (
	clockEvery = 10 * time.Second
	slept      = 90 * time.Second
)

// Run carries the connection until ctx ends. It starts connected, unless
// Options.Disabled.
func (l *Loop) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	d := &driver{Loop: l, ctx: ctx, aborts: map[int]context.CancelFunc{}}
	d.timer, d.clock = alarm{mailbox: l.mailbox, input: conn.Tick{}}, alarm{mailbox: l.mailbox, input: lookAtClock{}}
	defer d.silence()
	defer d.attempts.Wait()
	defer cancel()
	d.keeper = keeper{d: d, jobs: newMailbox(), timer: alarm{mailbox: l.mailbox, input: outbox.Tick{}}}
	d.looking.timer = alarm{mailbox: l.mailbox, input: toastsChanged{}}
	d.attempts.Go(d.keeper.run)
	defer l.end()
	if l.cfg.Page != nil {
		d.group = newGroup(d)
		defer d.group.close()
	}
	d.restore()
	if !l.cfg.Disabled {
		d.take(conn.Start{})
	}
	d.keeper.lead()
	d.loop()
}

// lookAtClock asks for a look at the clock.
type lookAtClock struct{}

func (d *driver) loop() {
	d.looked = time.Now()
	d.lookAtClock()
	for {
		select {
		case in := <-d.inputs:
			d.take(in)
		case <-d.mailbox.ready:
			for _, in := range d.mailbox.take() {
				if r, ok := in.(rung); ok {
					if r.set != r.alarm.set {
						continue
					}
					in = r.alarm.input
				}
				d.take(in)
			}
		case <-d.ctx.Done():
			return
		}
	}
}

// silence stops all alarms.
func (d *driver) silence() {
	for _, a := range []*alarm{&d.timer, &d.clock, &d.keeper.timer, &d.looking.timer} {
		a.at(time.Time{})
	}
	if d.group != nil {
		d.group.timer.at(time.Time{})
	}
}

// lookAtClock notices that the machine slept, and keeps from time to time the
// state, and what a storage that failed did not take.
func (d *driver) lookAtClock() {
	now := time.Now()
	if jumped(d.looked, now) {
		d.take(conn.Woke{})
	}
	d.looked = now
	d.keeper.saveState(now, false)
	d.keeper.rewrite()
	d.keeper.verify()
	d.clock.at(now.Add(clockEvery))
}

// jumped tells whether the machine slept between two looks at the clock: that of
// the wall, since the other may sleep too.
func jumped(last, now time.Time) bool { return now.Round(0).Sub(last.Round(0)) > slept }

// take gives an input to whom it concerns.
func (d *driver) take(in any) {
	if in == any(lookAtClock{}) {
		d.lookAtClock()
		return
	}
	d.cause = in
	if in == any(conn.Start{}) && d.state.Machine.Status().Connected() {
		return
	}
	if d.keeper.takes(in) || d.look(in) {
		return
	}
	if d.group == nil {
		if in == any(Reconnect{}) {
			in = conn.Start{}
		}
		if in, ok := in.(conn.Input); ok {
			d.step(in)
		}
		return
	}
	d.group.take(in)
	if _, more := in.(conn.Frame); !more { // frames are posted by the piece
		d.group.flush()
	}
}

// pieceEnd follows the frames that came in one piece.
type pieceEnd struct{}

// loaded is a snapshot on its way to the store, before the machine hears of it.
type loaded struct {
	conn.Snapshot
	snapshot projection.Snapshot
}

// step gives an input to the connection's machine.
func (d *driver) step(in conn.Input) {
	now := time.Now()
	switch in := in.(type) {
	case loaded:
		d.abort(in.Attempt)
	case conn.Ended:
		d.abort(in.Attempt)
	}
	d.mu.Lock()
	l, isLoaded := in.(loaded)
	if isLoaded {
		in = l.Snapshot
		isLoaded = d.state.Machine.AwaitsSnapshot(l.Attempt)
	}
	before := d.state.Machine.Status()
	effects := slices.Clone(d.state.Machine.Step(now, in))
	status := d.state.Machine.Status()
	if isLoaded {
		d.load(l.snapshot, now)
	}
	d.mu.Unlock()
	if d.cfg.OnStep != nil {
		d.cfg.OnStep(in, status)
	}
	for _, e := range effects {
		d.carryOut(e, now)
	}
	switch {
	case status.Connected() && !before.Connected():
		d.keeper.dirty = true
		d.keeper.lead()
	case before.Connected() && !status.Connected():
		d.keeper.saveState(now, true)
	}
	if status.State == conn.Denied && before.State != conn.Denied {
		d.denied()
	}
	if len(effects) > 0 {
		d.lookedAt(now)
		d.keeper.saveFirst(now)
		d.changed()
	}
}

// denied ends what needs a session: whoever signs in next is perhaps another
// user. Another tab may lead, and try for itself.
func (d *driver) denied() {
	if d.group != nil && d.group.relay != nil {
		d.group.wanted = false
		d.group.member(tabs.Leave{})
	}
	d.keeper.lead()
}

// sends tells whether this tab sends what waits in the outbox: the leader does,
// and a tab that is on its own and has heard of none, as long as they have a
// session.
func (d *driver) sends() bool {
	if d.state.Machine.Status().State == conn.Denied {
		return false
	}
	return d.group == nil || !d.group.still && d.state.Member.Role() != tabs.Follower && !d.state.Member.OtherLeads()
}

// load takes a snapshot into the store. A history that does not reach to where
// the stream begins would have a hole.
func (d *driver) load(s projection.Snapshot, now time.Time) {
	if !d.state.AsOf.IsZero() && d.state.Machine.Cursor() != d.keeper.kept {
		d.state.Store.Clear()
	}
	d.state.AsOf, d.keeper.dirty = time.Time{}, true
	d.forGrant(s.Grant)
	d.state.Store.Load(s, now)
	d.looking.loaded(s.Cursor)
}

// forGrant drops what was for other rights: history, counts and messages.
func (d *driver) forGrant(grant string) {
	if d.state.Store.For(grant) {
		d.state.Toasts.Clear()
	}
}

func (d *driver) carryOut(e conn.Effect, now time.Time) {
	switch e := e.(type) {
	case conn.FetchSnapshot:
		d.attempt(e.Attempt, func(ctx context.Context) any { return d.fetch(ctx, e.Attempt) })
	case conn.Open:
		if e.Transport == conn.Tabs {
			d.group.attach(e)
			return
		}
		asked := d.upstream()
		d.attempt(e.Attempt, func(ctx context.Context) any {
			return conn.Ended{Attempt: e.Attempt, Failure: d.failure(d.open(ctx, e, asked))}
		})
	case conn.Abort:
		d.abort(e.Attempt)
		d.group.detach(e.Attempt)
	case conn.Alarm:
		d.timer.at(e.At)
	case conn.Changed:
		d.note(now, e.Status, d.cause)
		d.group.status(e.Status)
	case conn.Deliver:
		d.group.relayed(e.Frame)
		d.deliver(e, now)
	}
}

// own is the filter of this tab's connection or history: with a state it asks
// for everything, since the figures need it.
func (d *driver) own() filter.Filter {
	if d.cfg.Snapshot {
		return filter.Filter{}
	}
	return d.cfg.Filter
}

// upstream is the filter of the connection: where other tabs live by it, by type
// alone.
func (d *driver) upstream() filter.Filter {
	if d.group != nil && d.group.relay != nil {
		return filter.Filter{Types: d.group.relay.Types()}
	}
	return d.own()
}

// abort ends what runs for an attempt, if that has not ended by itself: a history
// that is read for a tab that no longer leads, too.
func (d *driver) abort(attempt int) {
	if abort := d.aborts[attempt]; abort != nil {
		abort()
	}
	delete(d.aborts, attempt)
}

// attempt runs one attempt beside the loop and feeds its end back.
// A nil end says that it was aborted.
func (d *driver) attempt(n int, run func(context.Context) any) {
	ctx, cancel := context.WithCancel(d.ctx)
	d.aborts[n] = cancel
	d.attempts.Go(func() {
		defer cancel()
		if in := run(ctx); in != nil {
			_ = d.input(d.ctx, in) // fails only when Run ends
		}
	})
}

func (d *driver) fetch(ctx context.Context, attempt int) any {
	s, err := rest.Snapshot(ctx, d.cfg.Transport)
	if err != nil {
		return conn.Ended{Attempt: attempt, Failure: d.failure(err)}
	}
	return loaded{conn.Snapshot{Attempt: attempt, Cursor: s.Cursor, Grant: s.Grant}, s}
}

func (d *driver) deliver(e conn.Deliver, now time.Time) {
	switch f := e.Frame.(type) {
	case *wire.Hello:
		d.mu.Lock()
		d.forGrant(f.Grant)
		d.mu.Unlock()
	case *wire.Gap:
		if d.cfg.OnGap != nil {
			d.cfg.OnGap(*f)
		}
	case *wire.Event:
		f.Event.Cursor = f.Cursor.String() // whoever wrote it
		d.mu.Lock()
		d.state.Store.Apply(f.Event, f.Cursor)
		d.keeper.dirty = true
		if !d.cfg.Filter.Match(f.Event) {
			d.mu.Unlock()
			return
		}
		r, news := d.state.Store.Add(f.Event, now, e.Replayed)
		subscribers := d.state.subscriptions
		d.mu.Unlock()
		if !news {
			return
		}
		d.noticed(r, f.Cursor, now)
		if d.cfg.OnEvent != nil {
			d.cfg.OnEvent(r)
		}
		for _, s := range subscribers {
			if !s.cancelled.Load() && s.wants(r.Event) {
				s.handle(r)
			}
		}
	}
}
