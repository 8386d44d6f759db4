package loop

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// group is this tab among those of its browser. Only Run's goroutine uses it;
// a nil group is a program without tabs.
type group struct {
	d       *driver
	page    port.Page
	name    string // of locks and channel
	timer   alarm
	unwatch func()
	channel port.Channel // nil while the page is frozen
	wanted  bool         // the user wants events
	still   bool         // the page is about to stand still, or the client to end

	acquired, unseen map[int]context.CancelFunc // requests of locks
	visible          context.CancelFunc         // the share of the lock of what is visible; nil: none

	relay   *tabs.Relay // nil unless this tab leads
	terms   int
	reader  *tabs.Reader // nil unless it follows
	attempt int          // the machine's, that the reader is
}

// newGroup lets the page's events in. Tabs belong together that run the same
// protocol for the same rights of the same user.
func newGroup(d *driver) *group {
	g := &group{d: d, page: d.cfg.Page, timer: alarm{mailbox: d.mailbox, input: tabs.Tick{}}, acquired: map[int]context.CancelFunc{}, unseen: map[int]context.CancelFunc{}}
	g.name = strings.Join([]string{"yardline", tabs.Version, d.cfg.Grant.User, d.cfg.Grant.ID()}, "/")
	g.unwatch = g.page.Watch(func(e port.PageEvent) { d.mailbox.put(e) })
	if g.page.Visible() { // since New it may have changed
		g.member(tabs.Appeared{})
	} else {
		g.member(tabs.Vanished{})
	}
	g.open()
	return g
}

func (g *group) open() {
	g.channel = g.page.Channel(g.name, func(raw []byte) {
		var m tabs.Message
		if json.Unmarshal(raw, &m) == nil && (m.To == "" || m.To == g.page.Tab()) {
			g.d.mailbox.put(m)
		}
	})
	g.post(tabs.Message{Kind: tabs.Ping}) // also one that does not join wants to know whether another tab leads
	g.sayFocus()
}

// sayFocus tells the others where the user is.
func (g *group) sayFocus() {
	if g.page.Focused() {
		g.post(tabs.Message{Kind: tabs.Focus})
	}
}

// close leaves the group for good. What others are told goes out at once: Run's
// context has ended, and nothing that is started waits for anything.
func (g *group) close() {
	g.still = true
	g.d.step(conn.Stop{})
	g.post(tabs.Message{Kind: tabs.Blur})
	if g.channel != nil {
		g.member(tabs.Leave{})
		g.flush()
	}
	g.unwatch()
	g.shut()
}

func (g *group) shut() {
	if g.channel != nil {
		g.channel.Close()
	}
	g.channel = nil
}

func (g *group) take(in any) {
	switch in := in.(type) {
	case port.PageEvent:
		g.happened(in)
	case tabs.Message:
		g.hear(in)
	case tabs.MemberInput:
		g.member(in)
	case caughtUp:
		g.d.abort(in.attempt)
		if in.attempt == g.attempt && g.reader != nil {
			g.carry(g.reader.HandleCaughtUp())
		}
	case conn.Ended:
		if in.Attempt == g.attempt {
			g.reader = nil
		}
		g.d.step(in)
	case conn.Start:
		g.start()
	case Reconnect:
		if g.reader != nil {
			g.post(tabs.Message{Kind: tabs.Reconnect})
		} else {
			g.start()
		}
	case conn.Stop, conn.Pause:
		g.d.step(in.(conn.Input))
		g.wanted = false
		g.member(tabs.Leave{})
	case conn.Resume:
		if s := g.d.state.Machine.Status(); s.State == conn.Paused && s.Code == "" {
			g.join()
			g.d.step(in)
		}
	case conn.Input:
		g.d.step(in)
	}
}

// start is the user's wish to connect, or to try at once.
func (g *group) start() {
	if g.reader != nil { // another tab has the connection
		if !g.d.state.Machine.Status().Connected() {
			g.post(tabs.Message{Kind: tabs.Retry})
		}
		return
	}
	g.join()
	if g.d.state.Member.Asleep() {
		g.member(tabs.Heard{Message: tabs.Message{Kind: tabs.Retry}})
	}
	g.d.step(conn.Start{})
}

func (g *group) join() {
	g.wanted = true
	if g.channel != nil {
		g.member(tabs.Join{})
	}
}

func (g *group) happened(e port.PageEvent) {
	switch e {
	case port.Appeared:
		g.member(tabs.Appeared{})
	case port.Vanished:
		g.member(tabs.Vanished{})
	case port.Online:
		g.d.step(conn.Online{})
	case port.Offline:
		g.d.step(conn.GoneOffline{})
	case port.Frozen:
		g.freeze()
	case port.Thawed:
		g.thaw()
	}
}

// freeze lets go of everything before the page stands still: it would keep
// stream and lock from the others.
func (g *group) freeze() {
	if g.channel == nil {
		return
	}
	g.still = true
	g.d.keeper.dirty = false // who thaws may have signed out meanwhile: the broker tells
	g.post(tabs.Message{Kind: tabs.Blur})
	g.d.step(conn.Pause{Code: frozen})
	g.member(tabs.Leave{})
	g.flush()
	g.shut()
}

func (g *group) thaw() {
	if g.channel != nil {
		return
	}
	g.still = false
	g.open()
	if g.wanted {
		g.member(tabs.Join{})
	}
	switch s := g.d.state.Machine.Status(); {
	case s.State == conn.Paused && s.Code != "": // frozen, or hidden before
		g.d.step(conn.Resume{Code: s.Code})
	case s.State == conn.Offline: // whatever it was told of the network while it stood still
		g.d.step(conn.Online{})
	}
}

// Why a connection is paused, other than by the user.
const (
	frozen = "frozen"
	hidden = "hidden"
)

// member gives an input to the election.
func (g *group) member(in tabs.MemberInput) {
	g.d.mu.Lock()
	effects := slices.Clone(g.d.state.Member.Step(time.Now(), in))
	g.d.mu.Unlock()
	for _, e := range effects {
		g.carryOut(e)
	}
}

func (g *group) carryOut(e tabs.MemberEffect) {
	switch e := e.(type) {
	case tabs.Acquire:
		mode := port.Exclusive
		if e.Steal {
			mode = port.Steal
		}
		g.acquired[e.Request] = g.lock(g.name, mode, tabs.Granted{Request: e.Request}, tabs.Refused{Request: e.Request})
	case tabs.Release:
		end(g.acquired, e.Request)
	case tabs.ShareVisible:
		if g.visible != nil {
			g.visible()
			g.visible = nil
		}
		if e.On {
			g.visible = g.lock(g.name+visible, port.Shared, nil, nil)
		}
	case tabs.AwaitUnseen:
		g.unseen[e.Request] = g.lock(g.name+visible, port.Exclusive, tabs.Unseen(e), nil)
	case tabs.Confirm:
		g.d.attempts.Go(func() {
			wanted, err := g.page.Wanted(g.d.ctx, g.name+visible)
			g.d.mailbox.put(tabs.Confirmed{Request: e.Request, Wanted: wanted || err != nil})
		})
	case tabs.EndUnseen:
		end(g.unseen, e.Request)
	case tabs.OtherLeads:
		g.d.keeper.lead()
	case tabs.Become:
		g.become(e.Role)
	case tabs.Post:
		g.post(tabs.Message{Kind: e.Kind})
	case tabs.Sleep:
		g.d.step(conn.Pause{Code: hidden})
	case tabs.Wake:
		g.d.step(conn.Resume{Code: hidden})
	case tabs.Alarm:
		g.timer.at(e.At)
	}
}

func end(requests map[int]context.CancelFunc, ask int) {
	if cancel := requests[ask]; cancel != nil {
		cancel()
	}
	delete(requests, ask)
}

// visible ends the name of the lock that visible tabs share.
const visible = "/visible"

// lock asks for a lock beside the loop, and keeps it until it is cancelled.
// held and lost are what the loop is told; either may be nil.
func (g *group) lock(name string, mode port.LockMode, held, lost any) context.CancelFunc {
	ctx, cancel := context.WithCancel(g.d.ctx)
	g.d.attempts.Go(func() {
		defer cancel()
		err := g.page.Lock(ctx, name, mode, func() {
			if held != nil {
				g.d.mailbox.put(held)
			}
		})
		if err != nil && ctx.Err() == nil && lost != nil {
			g.d.mailbox.put(lost)
		}
	})
	return cancel
}

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
		g.d.mu.Lock()
		g.relay = tabs.NewRelay(g.page.Tab(), g.terms, g.types(), g.d.state.Machine.Status())
		if at, grant, ok := g.d.state.Machine.ResumePoint(); ok {
			g.relay.Resume(at, grant)
		}
		g.d.mu.Unlock()
		g.flush()
		g.d.step(conn.Lead{})
	default:
		g.d.step(conn.Lead{})
	}
	g.d.keeper.lead()
	g.d.changed()
}

// types are those that this tab needs; nil is all.
func (g *group) types() []event.Type {
	f := g.d.own()
	if len(f.Modules) > 0 && len(f.Types) == 0 {
		return nil // a module is no set of types
	}
	return f.Types
}

func (g *group) hear(m tabs.Message) {
	g.member(tabs.Heard{Message: m})
	g.d.looking.hear(m)
	switch {
	case m.Kind == tabs.Outbox:
		g.d.keeper.learn(m.Body)
	case m.Kind == tabs.Lead:
		g.d.keeper.lead()
		g.sayFocus()
	case m.Kind == tabs.Shown:
		g.sayFocus()
	case m.Kind == tabs.Status && m.Status != nil && m.Status.Connected() && g.isDenied():
		g.start() // Another tab is live, so the reason of the denial no longer holds.
	case g.relay == nil:
	case m.Kind == tabs.Attach:
		if g.relay.Attach(m) {
			g.d.step(conn.Reopen{})
		}
	case m.Kind == tabs.Retry: // the election has heard it too: whoever asks for it is looking
		if !g.d.state.Machine.Status().Connected() {
			g.d.step(conn.Start{})
		}
	case m.Kind == tabs.Reconnect:
		g.d.step(conn.Start{})
	}
	if g.reader != nil {
		g.carry(g.reader.Handle(m))
	}
}

// isDenied tells whether this tab was denied, by its own attempt.
func (g *group) isDenied() bool {
	return g.reader == nil && g.d.state.Machine.Status().State == conn.Denied
}

// status tells the other tabs what this one's connection is doing.
func (g *group) status(s conn.Status) {
	if g != nil && g.relay != nil {
		g.relay.SetStatus(s)
	}
}

// relayed gives the other tabs a frame.
func (g *group) relayed(f wire.Frame) {
	if g != nil && g.relay != nil {
		g.relay.Deliver(f)
	}
}

// flush posts what the relay has to say.
func (g *group) flush() {
	if g.relay != nil {
		for _, m := range g.relay.Flush() {
			g.post(m)
		}
	}
}

func (g *group) post(m tabs.Message) {
	if g == nil || g.channel == nil {
		return
	}
	m.From = g.page.Tab()
	g.channel.Post(encode(m))
}

// Reconnect is the user's wish for another connection.
type Reconnect struct{}
