package loop

import "sync"

// A mailbox holds values of senders that must not wait, until the receiver takes them. It is safe for concurrent use.
type mailbox[T any] struct {
	// ready has a value while the mailbox is not empty. Its capacity is 1: one value stands for all.
	ready chan struct{}

	mu     sync.Mutex
	values []T // guarded by mu
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{ready: make(chan struct{}, 1)} }

// put adds a value.
func (b *mailbox[T]) put(value T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values = append(b.values, value)
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// takeAll removes and returns all values, in the order of put.
func (b *mailbox[T]) takeAll() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.values
	b.values = nil
	return all
}
