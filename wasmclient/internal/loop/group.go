package loop

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// A group is this tab's part among the tabs of its browser. Only Run's goroutine uses it. A program without tabs has a
// nil group: detach, relayStatus, relayFrame, flush and post do nothing then.
type group struct {
	d           *driver
	page        port.Page
	name        string // of the leader's lock and of the channel
	alarm       alarm  // of the election
	stopWatch   func() // ends the events of the page
	channel     port.Channel
	wantsEvents bool // the user wants events
	isSuspended bool // the page is frozen or about to be, or the client ends

	leaderLocks   map[int]context.CancelFunc // requests for the leader's lock, by their numbers
	unseenLocks   map[int]context.CancelFunc // requests for the visibility lock alone
	visibleUnlock context.CancelFunc         // gives back the share of the visibility lock; nil if there is none

	relay         *tabs.Relay  // nil unless this tab leads
	terms         int          // how often this tab has led
	reader        *tabs.Reader // nil unless this tab follows
	readerAttempt int          // the attempt of the connection's machine that the reader carries
}

// visibleSuffix ends the name of the visibility lock.
const visibleSuffix = "/visible"

// The codes of pauses that are not the user's.
const (
	codeFrozen = "frozen"
	codeHidden = "hidden"
)

// newGroup watches the page and joins the channel. Tabs belong to the same group if they run the same protocol for the
// same rights of the same user.
func newGroup(d *driver) *group {
	g := &group{
		d:           d,
		page:        d.cfg.Page,
		name:        strings.Join([]string{"yardline", tabs.Version, d.cfg.Grant.User, d.cfg.Grant.ID()}, "/"),
		alarm:       alarm{mailbox: d.mailbox, message: memberMessage{tabs.Tick{}}},
		leaderLocks: map[int]context.CancelFunc{},
		unseenLocks: map[int]context.CancelFunc{},
	}
	g.stopWatch = g.page.Watch(func(e port.PageEvent) { d.mailbox.put(pageMessage{e}) })
	if g.page.IsVisible() { // This may have changed since New.
		g.stepMember(tabs.Appeared{})
	} else {
		g.stepMember(tabs.Vanished{})
	}
	g.openChannel()
	return g
}

// openChannel joins the channel, and asks whether another tab leads. A tab that does not join the election needs to
// know that too.
func (g *group) openChannel() {
	g.channel = g.page.Channel(g.name, func(raw []byte) {
		var m tabs.Message
		if json.Unmarshal(raw, &m) == nil && (m.To == "" || m.To == g.page.Tab()) {
			g.d.mailbox.put(tabMessage{m})
		}
	})
	g.post(tabs.Message{Kind: tabs.Ping})
	g.broadcastFocus()
}

func (g *group) closeChannel() {
	if g.channel != nil {
		g.channel.Close()
	}
	g.channel = nil
}

// close leaves the group for good. It posts the last messages at once. Goroutines that it starts end at once, because
// Run's context has ended.
func (g *group) close() {
	g.isSuspended = true
	g.d.step(conn.Stop{})
	g.post(tabs.Message{Kind: tabs.Blur})
	if g.channel != nil {
		g.stepMember(tabs.Leave{})
		g.flush()
	}
	g.stopWatch()
	g.closeChannel()
}

// freeze gives up the stream, the locks and the channel before the page freezes, because a frozen page would keep
// them from the other tabs.
func (g *group) freeze() {
	if g.channel == nil {
		return
	}
	g.isSuspended = true
	g.d.keeper.dirty = false // The user may have signed out before the page thaws; the broker will tell.
	g.post(tabs.Message{Kind: tabs.Blur})
	g.d.step(conn.Pause{Code: codeFrozen})
	g.stepMember(tabs.Leave{})
	g.flush()
	g.closeChannel()
}

// thaw ends freeze.
func (g *group) thaw() {
	if g.channel != nil {
		return
	}
	g.isSuspended = false
	g.openChannel()
	if g.wantsEvents {
		g.stepMember(tabs.Join{})
	}
	switch s := g.d.state.Machine.Status(); {
	case s.State == conn.Paused && s.Code != "": // The page was frozen, or hidden before that.
		g.d.step(conn.Resume{Code: s.Code})
	case s.State == conn.Offline: // The state of the network may have changed while the page was frozen.
		g.d.step(conn.Online{})
	}
}

// handleConnInput handles an input of the connection's machine.
func (g *group) handleConnInput(in conn.Input) {
	switch in := in.(type) {
	case conn.Start:
		g.start()
	case conn.Stop, conn.Pause:
		g.d.step(in)
		g.wantsEvents = false
		g.stepMember(tabs.Leave{})
	case conn.Resume:
		if s := g.d.state.Machine.Status(); s.State == conn.Paused && s.Code == "" {
			g.join()
			g.d.step(in)
		}
	case conn.Ended:
		if in.Attempt == g.readerAttempt {
			g.reader = nil
		}
		g.d.step(in)
	default:
		g.d.step(in)
	}
}

// start connects, or tries at once. If another tab holds the connection, that tab tries.
func (g *group) start() {
	if g.reader != nil {
		if !g.d.state.Machine.Status().Connected() {
			g.post(tabs.Message{Kind: tabs.Retry})
		}
		return
	}
	g.join()
	if g.d.state.Member.Asleep() {
		g.stepMember(tabs.Heard{Message: tabs.Message{Kind: tabs.Retry}})
	}
	g.d.step(conn.Start{})
}

// reconnect makes another connection. If another tab holds the connection, that tab does so.
func (g *group) reconnect() {
	if g.reader != nil {
		g.post(tabs.Message{Kind: tabs.Reconnect})
		return
	}
	g.start()
}

func (g *group) join() {
	g.wantsEvents = true
	if g.channel != nil {
		g.stepMember(tabs.Join{})
	}
}

// handleMessage handles a message of another tab.
func (g *group) handleMessage(m tabs.Message) {
	g.stepMember(tabs.Heard{Message: m})
	g.d.attention.handleMessage(m)
	switch {
	case m.Kind == tabs.Outbox:
		g.d.keeper.handleBroadcast(m.Body)
	case m.Kind == tabs.Lead:
		g.d.keeper.updateLead()
		g.broadcastFocus()
	case m.Kind == tabs.Shown:
		g.broadcastFocus()
	case m.Kind == tabs.Status && m.Status != nil && m.Status.Connected() && g.isDenied():
		g.start() // Another tab is live, so the reason of the denial no longer holds.
	case g.relay != nil:
		g.handleFollower(m)
	}
	if g.reader != nil {
		g.carryOutReader(g.reader.Handle(m))
	}
}

// handleFollower handles a message of a follower. This tab must lead: g.relay must not be nil.
func (g *group) handleFollower(m tabs.Message) {
	switch m.Kind {
	case tabs.Attach:
		if g.relay.Attach(m) {
			g.d.step(conn.Reopen{})
		}
	case tabs.Retry: // The election has handled it too, because a user who asks for a retry looks at a tab.
		if !g.d.state.Machine.Status().Connected() {
			g.d.step(conn.Start{})
		}
	case tabs.Reconnect:
		g.d.step(conn.Start{})
	}
}

// isDenied reports whether the broker denied this tab's own attempt.
func (g *group) isDenied() bool {
	return g.reader == nil && g.d.state.Machine.Status().State == conn.Denied
}

// types returns the types that this tab needs. Nil means all.
func (g *group) types() []event.Type {
	f := g.d.tabFilter()
	if len(f.Modules) > 0 && len(f.Types) == 0 {
		return nil // A filter by modules cannot be written as a set of types.
	}
	return f.Types
}

// broadcastFocus tells the other tabs that the user works in this tab, if that is so.
func (g *group) broadcastFocus() {
	if g.page.IsFocused() {
		g.post(tabs.Message{Kind: tabs.Focus})
	}
}

// relayStatus passes a status of this tab's connection on to the tabs that follow.
func (g *group) relayStatus(s conn.Status) {
	if g != nil && g.relay != nil {
		g.relay.SetStatus(s)
	}
}

// relayFrame passes a frame on to the tabs that follow.
func (g *group) relayFrame(f wire.Frame) {
	if g != nil && g.relay != nil {
		g.relay.Deliver(f)
	}
}

// flush posts the messages of the relay.
func (g *group) flush() {
	if g != nil && g.relay != nil {
		for _, m := range g.relay.Flush() {
			g.post(m)
		}
	}
}

// post sends a message to the other tabs. While the page is frozen it does nothing.
func (g *group) post(m tabs.Message) {
	if g == nil || g.channel == nil {
		return
	}
	m.From = g.page.Tab()
	g.channel.Post(encode(m))
}
