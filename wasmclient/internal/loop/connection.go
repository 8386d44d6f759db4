package loop

import (
	"context"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/internal/rest"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// handleSnapshot loads a snapshot into the store if the machine awaits it. The store and the machine change under one
// lock, so that no caller sees one without the other.
func (d *driver) handleSnapshot(m snapshotFetched) {
	d.abort(m.attempt)
	isAwaited := d.state.Machine.AwaitsSnapshot(m.attempt)
	in := conn.Snapshot{Attempt: m.attempt, Cursor: m.snapshot.Cursor, Grant: m.snapshot.Grant}
	d.stepAndUpdate(in, func(now time.Time) {
		if isAwaited {
			d.loadLocked(m.snapshot, now)
		}
	})
}

// step gives an input to the connection's machine, and carries out the effects.
func (d *driver) step(in conn.Input) {
	if ended, ok := in.(conn.Ended); ok {
		d.abort(ended.Attempt)
	}
	d.stepAndUpdate(in, func(time.Time) {})
}

// stepAndUpdate gives an input to the connection's machine, calls update while the lock is held, and carries out the
// effects.
func (d *driver) stepAndUpdate(in conn.Input, update func(now time.Time)) {
	now := time.Now()
	d.mu.Lock()
	before := d.state.Machine.Status()
	effects := slices.Clone(d.state.Machine.Step(now, in))
	status := d.state.Machine.Status()
	update(now)
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
		d.keeper.updateLead()
	case before.Connected() && !status.Connected():
		d.keeper.saveState(now, true)
	}
	if status.State == conn.Denied && before.State != conn.Denied {
		d.handleDenied()
	}
	if len(effects) > 0 {
		d.summarizeMissed(now)
		d.keeper.saveFirst(now)
		d.changed()
	}
}

// handleDenied ends all work that needs a session, because the next user to sign in may be another one. A tab that
// leads leaves the group, so that another tab can lead and try by itself.
func (d *driver) handleDenied() {
	if d.group != nil && d.group.relay != nil {
		d.group.wantsEvents = false
		d.group.stepMember(tabs.Leave{})
	}
	d.keeper.updateLead()
}

// loadLocked loads a snapshot into the store. It empties a restored history that does not reach the start of the
// stream, because that history would have a hole. The caller must hold d.mu.
func (d *driver) loadLocked(s projection.Snapshot, now time.Time) {
	if !d.state.AsOf.IsZero() && d.state.Machine.Cursor() != d.keeper.restoredEnd {
		d.state.Store.Clear()
	}
	d.state.AsOf, d.keeper.dirty = time.Time{}, true
	d.setGrantLocked(s.Grant)
	d.state.Store.Load(s, now)
	d.attention.handleSnapshot(s.Cursor)
}

// setGrantLocked records the grant of the data. It drops history, counts and toasts if they were for another grant. The
// caller must hold d.mu.
func (d *driver) setGrantLocked(grant string) {
	if d.state.Store.SetGrant(grant) {
		d.state.Toasts.Clear()
	}
}

// carryOut carries out an effect of the connection's machine.
func (d *driver) carryOut(e conn.Effect, now time.Time) {
	switch e := e.(type) {
	case conn.FetchSnapshot:
		d.attempt(e.Attempt, func(ctx context.Context) message { return d.fetchSnapshot(ctx, e.Attempt) })
	case conn.Open:
		if e.Transport == conn.Tabs {
			d.group.attach(e)
			return
		}
		f := d.connectionFilter()
		d.attempt(e.Attempt, func(ctx context.Context) message {
			return connMessage{conn.Ended{Attempt: e.Attempt, Failure: d.failure(d.open(ctx, e, f))}}
		})
	case conn.Abort:
		d.abort(e.Attempt)
		d.group.detach(e.Attempt)
	case conn.Alarm:
		d.connAlarm.set(e.At)
	case conn.Changed:
		d.addTransition(now, e.Status, d.cause)
		d.group.relayStatus(e.Status)
	case conn.Deliver:
		d.group.relayFrame(e.Frame)
		d.deliver(e, now)
	}
}

// tabFilter returns the filter of what this tab needs. With a snapshot that is everything, because the figures need it.
func (d *driver) tabFilter() filter.Filter {
	if d.cfg.Snapshot {
		return filter.Filter{}
	}
	return d.cfg.Filter
}

// connectionFilter returns the filter of the connection. A connection that other tabs share selects by type alone.
func (d *driver) connectionFilter() filter.Filter {
	if d.group != nil && d.group.relay != nil {
		return filter.Filter{Types: d.group.relay.Types()}
	}
	return d.tabFilter()
}

// attempt runs attempt n in a goroutine of its own, and sends the message that run returns. run returns nil if the
// attempt was aborted.
func (d *driver) attempt(n int, run func(context.Context) message) {
	ctx, cancel := context.WithCancel(d.ctx)
	d.aborts[n] = cancel
	d.goroutines.Go(func() {
		defer cancel()
		if m := run(ctx); m != nil {
			_ = d.send(d.ctx, m) // fails only when Run ends
		}
	})
}

// abort ends the goroutine of an attempt, unless it has ended by itself.
func (d *driver) abort(attempt int) {
	if abort := d.aborts[attempt]; abort != nil {
		abort()
	}
	delete(d.aborts, attempt)
}

// fetchSnapshot fetches the snapshot of an attempt, and returns it or the failure.
func (d *driver) fetchSnapshot(ctx context.Context, attempt int) message {
	s, err := rest.Snapshot(ctx, d.cfg.Transport)
	if err != nil {
		return connMessage{conn.Ended{Attempt: attempt, Failure: d.failure(err)}}
	}
	return snapshotFetched{attempt, s}
}

// deliver feeds a frame into the store, and calls the callbacks.
func (d *driver) deliver(e conn.Deliver, now time.Time) {
	switch f := e.Frame.(type) {
	case *wire.Hello:
		d.mu.Lock()
		d.setGrantLocked(f.Grant)
		d.mu.Unlock()
	case *wire.Gap:
		if d.cfg.OnGap != nil {
			d.cfg.OnGap(*f)
		}
	case *wire.Event:
		d.deliverEvent(f, e.Replayed, now)
	}
}

// deliverEvent applies an event to the state. If the client's filter selects the event, and the history does not have
// it yet, deliverEvent also adds it to the history, offers its toast and calls the callbacks.
func (d *driver) deliverEvent(f *wire.Event, replayed bool, now time.Time) {
	f.Event.Cursor = f.Cursor.String() // The frame's cursor counts, not the one in the event.
	d.mu.Lock()
	d.state.Store.Apply(f.Event, f.Cursor)
	d.keeper.dirty = true
	if !d.cfg.Filter.Match(f.Event) {
		d.mu.Unlock()
		return
	}
	r, isNew := d.state.Store.Add(f.Event, now, replayed)
	subscriptions := d.state.subscriptions
	d.mu.Unlock()
	if !isNew {
		return
	}
	d.offerToast(r, f.Cursor, now)
	if d.cfg.OnEvent != nil {
		d.cfg.OnEvent(r)
	}
	for _, s := range subscriptions {
		if !s.cancelled.Load() && s.wants(r.Event) {
			s.handle(r)
		}
	}
}
