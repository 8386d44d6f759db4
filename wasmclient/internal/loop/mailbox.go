package loop

import "sync"

// A mailbox holds what callbacks bring, which must not wait, until Run takes
// it. It is safe for concurrent use.
type mailbox struct {
	mu    sync.Mutex
	all   []any
	ready chan struct{} // has a value where there is something
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

func (b *mailbox) put(in any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, in)
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *mailbox) take() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all
	b.all = nil
	return all
}
