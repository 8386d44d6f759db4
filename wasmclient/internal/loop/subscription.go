package loop

import (
	"slices"
	"sync/atomic"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// A subscription is a callback for some of the events.
type subscription struct {
	wants     func(event.Event) bool
	handle    func(store.Received)
	cancelled atomic.Bool // a cancelled subscription gets nothing more, not even the event that is being delivered
}

// Subscribe calls handle for every event that wants accepts, until cancel is called. A second cancel does nothing.
func (l *Loop) Subscribe(handle func(store.Received), wants func(event.Event) bool) (cancel func()) {
	s := &subscription{wants: wants, handle: handle}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.subscriptions = append(l.state.subscriptions, s)
	return func() {
		s.cancelled.Store(true)
		l.mu.Lock()
		defer l.mu.Unlock()
		// deliver may be ranging over the old slice.
		l.state.subscriptions = slices.DeleteFunc(slices.Clone(l.state.subscriptions), func(other *subscription) bool {
			return other == s
		})
	}
}

// SubscriptionCount returns the number of subscriptions that are not cancelled.
func (l *Loop) SubscriptionCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.state.subscriptions)
}
