package loop

import (
	"context"
	"slices"
	"time"

	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// stepMember gives an input to the election, and carries out the effects.
func (g *group) stepMember(in tabs.MemberInput) {
	g.d.mu.Lock()
	effects := slices.Clone(g.d.state.Member.Step(time.Now(), in))
	g.d.mu.Unlock()
	for _, e := range effects {
		g.carryOut(e)
	}
}

// carryOut carries out an effect of the election.
func (g *group) carryOut(e tabs.MemberEffect) {
	switch e := e.(type) {
	case tabs.Acquire:
		mode := port.Exclusive
		if e.Steal {
			mode = port.Steal
		}
		granted, refused := tabs.Granted{Request: e.Request}, tabs.Refused{Request: e.Request}
		g.leaderLocks[e.Request] = g.lock(g.name, mode, granted, refused)
	case tabs.Release:
		endRequest(g.leaderLocks, e.Request)
	case tabs.ShareVisible:
		g.shareVisible(e.On)
	case tabs.AwaitUnseen:
		unseen := tabs.Unseen{Request: e.Request}
		g.unseenLocks[e.Request] = g.lock(g.name+visibleSuffix, port.Exclusive, unseen, nil)
	case tabs.Confirm:
		g.d.goroutines.Go(func() {
			wanted, err := g.page.IsWanted(g.d.ctx, g.name+visibleSuffix)
			g.d.mailbox.put(memberMessage{tabs.Confirmed{Request: e.Request, Wanted: wanted || err != nil}})
		})
	case tabs.EndUnseen:
		endRequest(g.unseenLocks, e.Request)
	case tabs.OtherLeads:
		g.d.keeper.updateLead()
	case tabs.Become:
		g.become(e.Role)
	case tabs.Post:
		g.post(tabs.Message{Kind: e.Kind})
	case tabs.Sleep:
		g.d.step(conn.Pause{Code: codeHidden})
	case tabs.Wake:
		g.d.step(conn.Resume{Code: codeHidden})
	case tabs.Alarm:
		g.alarm.set(e.At)
	}
}

// shareVisible holds a share of the visibility lock, or gives it back.
func (g *group) shareVisible(on bool) {
	if g.visibleUnlock != nil {
		g.visibleUnlock()
		g.visibleUnlock = nil
	}
	if on {
		g.visibleUnlock = g.lock(g.name+visibleSuffix, port.Shared, nil, nil)
	}
}

// lock requests a lock in a goroutine of its own, and keeps it until unlock is called. The election gets the input
// granted when this tab has the lock, and lost when this tab loses it. Either may be nil.
func (g *group) lock(name string, mode port.LockMode, granted, lost tabs.MemberInput) (unlock context.CancelFunc) {
	ctx, cancel := context.WithCancel(g.d.ctx)
	g.d.goroutines.Go(func() {
		defer cancel()
		err := g.page.Lock(ctx, name, mode, func() {
			if granted != nil {
				g.d.mailbox.put(memberMessage{granted})
			}
		})
		if err != nil && ctx.Err() == nil && lost != nil {
			g.d.mailbox.put(memberMessage{lost})
		}
	})
	return cancel
}

// endRequest gives a lock back, or ends the request for it.
func endRequest(requests map[int]context.CancelFunc, request int) {
	if cancel := requests[request]; cancel != nil {
		cancel()
	}
	delete(requests, request)
}

// become gives this tab a role.
func (g *group) become(r tabs.Role) {
	if g.relay != nil {
		g.relay.End()
		g.flush()
		g.terms = g.relay.Terms()
		g.relay = nil
	}
	switch r {
	case tabs.Follower:
		g.d.step(conn.Follow{})
	case tabs.Leader:
		g.beginRelay()
		g.flush()
		g.d.step(conn.Lead{})
	default:
		g.d.step(conn.Lead{})
	}
	g.d.keeper.updateLead()
	g.d.changed()
}

// beginRelay makes the relay of a tab that leads from now on.
func (g *group) beginRelay() {
	g.d.mu.Lock()
	defer g.d.mu.Unlock()
	g.relay = tabs.NewRelay(g.page.Tab(), g.terms, g.types(), g.d.state.Machine.Status())
	if at, grant, ok := g.d.state.Machine.ResumePoint(); ok {
		g.relay.Resume(at, grant)
	}
}
