package fake

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// A Browser holds the locks and channels of its tabs. It is safe for concurrent use.
type Browser struct {
	// NoLocks makes a browser without locks, as old ones are. Set it before the first tab. Defaults to false.
	NoLocks bool

	mu       sync.Mutex // guards all below, and the tabs
	tabs     int
	requests map[string][]*request // for locks, by name: those that hold it, then those that wait
	channels map[string][]*channel
}

// A Tab is a page of a Browser.
type Tab struct {
	b        *Browser
	name     string
	visible  bool
	focused  bool
	offline  bool
	dead     bool          // the tab has crashed, and sends nothing more
	stalled  chan struct{} // closed by Unstall; nil while the tab runs
	held     []func()      // the actions that wait until the tab is no longer stalled
	watchers map[int]func(port.PageEvent)
	watches  int // the number of calls of Watch
}

var _ port.Page = (*Tab)(nil)

// NewTab opens a tab that is visible.
func (b *Browser) NewTab() *Tab {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tabs++
	return &Tab{b: b, name: fmt.Sprint("tab", b.tabs), visible: true, watchers: map[int]func(port.PageEvent){}}
}

// Tab implements port.Page.
func (t *Tab) Tab() string { return t.name }

// HasLocks implements port.Page.
func (t *Tab) HasLocks() bool { return !t.b.NoLocks }

// IsVisible implements port.Page.
func (t *Tab) IsVisible() bool {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return t.visible
}

// IsFocused implements port.Page.
func (t *Tab) IsFocused() bool {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return t.visible && t.focused
}

// IsOnline implements port.Page.
func (t *Tab) IsOnline() bool {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return !t.offline
}

// Watch implements port.Page.
func (t *Tab) Watch(handle func(port.PageEvent)) (stop func()) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	id := t.watches
	t.watches++
	t.watchers[id] = handle
	return func() {
		t.b.mu.Lock()
		defer t.b.mu.Unlock()
		delete(t.watchers, id)
	}
}

// Watchers returns the number of watchers of the tab.
func (t *Tab) Watchers() int {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	return len(t.watchers)
}

// Happen makes an event happen to the tab.
func (t *Tab) Happen(e port.PageEvent) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	switch e {
	case port.Appeared:
		t.visible = true
	case port.Vanished:
		t.visible, t.focused = false, false
	case port.Focused:
		t.focused = true
	case port.Blurred:
		t.focused = false
	case port.Offline, port.Online:
		t.offline = e == port.Offline
	}
	for _, handle := range t.watchers {
		handle(e)
	}
}

// Crash ends the tab without an event: its locks become free, and its channels silent.
func (t *Tab) Crash() {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	t.dead = true
	t.watchers = nil
	for name, all := range t.b.requests {
		t.b.requests[name] = slices.DeleteFunc(all, func(r *request) bool { return r.tab == t })
		t.b.grant(name)
	}
	for name, all := range t.b.channels {
		t.b.channels[name] = slices.DeleteFunc(all, func(c *channel) bool { return c.tab == t })
	}
}

// Stall holds back the messages that the tab sends and gets, as if the browser had frozen it without an
// event. The tab keeps its locks. Unstall delivers the messages.
func (t *Tab) Stall() {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.stalled == nil {
		t.stalled = make(chan struct{})
	}
}

// Unstall ends Stall.
func (t *Tab) Unstall() {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.stalled == nil {
		return
	}
	close(t.stalled)
	t.stalled = nil
	held := t.held
	t.held = nil
	for _, do := range held {
		do()
	}
}

// do calls f now, or when the tab is no longer stalled. The caller must hold t.b.mu.
func (t *Tab) do(f func()) {
	if t.stalled != nil {
		t.held = append(t.held, f)
		return
	}
	f()
}

// waitWhileStalled waits until the tab is not stalled, or ctx ends.
func (t *Tab) waitWhileStalled(ctx context.Context) {
	t.b.mu.Lock()
	stalled := t.stalled
	t.b.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
		}
	}
}

// A request is a request of a tab for a lock, until the tab gives the lock back.
type request struct {
	tab       *Tab
	mode      port.LockMode
	granted   chan struct{} // closed when the tab gets the lock
	lost      chan struct{} // closed when another tab steals the lock
	isGranted bool
}

// grant gives a lock to the requests that are next. The caller must hold b.mu.
func (b *Browser) grant(name string) {
	for i, r := range b.requests[name] {
		if i > 0 && !(r.mode == port.Shared && b.requests[name][0].mode == port.Shared) {
			return
		}
		if !r.isGranted {
			r.isGranted = true
			close(r.granted)
		}
	}
}

// Lock implements port.Page.
func (t *Tab) Lock(ctx context.Context, name string, mode port.LockMode, held func()) error {
	b := t.b
	r := &request{tab: t, mode: mode, granted: make(chan struct{}), lost: make(chan struct{})}
	t.waitWhileStalled(ctx)
	b.mu.Lock()
	if t.dead {
		b.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	if b.requests == nil {
		b.requests = map[string][]*request{}
	}
	if mode == port.Steal {
		var waiting []*request
		for _, other := range b.requests[name] {
			if other.isGranted {
				close(other.lost)
			} else {
				waiting = append(waiting, other)
			}
		}
		r.mode = port.Exclusive
		b.requests[name] = append([]*request{r}, waiting...)
	} else {
		b.requests[name] = append(b.requests[name], r)
	}
	b.grant(name)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.requests[name] = slices.DeleteFunc(b.requests[name], func(other *request) bool { return other == r })
		b.grant(name)
	}()
	select {
	case <-r.granted:
		t.waitWhileStalled(ctx)
		held()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.lost:
		t.waitWhileStalled(ctx)
		return port.ErrLockLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// IsWanted implements port.Page.
func (t *Tab) IsWanted(_ context.Context, name string) (bool, error) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	isWanted := func(r *request) bool { return !r.isGranted && r.mode == port.Shared }
	return slices.ContainsFunc(t.b.requests[name], isWanted), nil
}

// Locks returns the number of requests for locks, granted or waiting.
func (b *Browser) Locks() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, all := range b.requests {
		n += len(all)
	}
	return n
}

// Channels returns the number of open ends of channels.
func (b *Browser) Channels() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, all := range b.channels {
		n += len(all)
	}
	return n
}

// A channel is a tab's end of a channel.
type channel struct {
	tab    *Tab
	name   string
	handle func([]byte)
}

// Channel implements port.Page.
func (t *Tab) Channel(name string, handle func([]byte)) port.Channel {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	c := &channel{t, name, handle}
	if t.b.channels == nil {
		t.b.channels = map[string][]*channel{}
	}
	t.b.channels[name] = append(t.b.channels[name], c)
	return c
}

// Post implements port.Channel.
func (c *channel) Post(message []byte) {
	b := c.tab.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.tab.dead {
		return
	}
	c.tab.do(func() {
		for _, other := range b.channels[c.name] {
			if other != c {
				other.tab.do(func() { other.handle(message) })
			}
		}
	})
}

// Close implements port.Channel.
func (c *channel) Close() {
	c.tab.b.mu.Lock()
	defer c.tab.b.mu.Unlock()
	isThis := func(other *channel) bool { return other == c }
	c.tab.b.channels[c.name] = slices.DeleteFunc(c.tab.b.channels[c.name], isThis)
}
