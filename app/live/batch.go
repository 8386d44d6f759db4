package live

import "time"

const (
	// batchTime is how long changes are collected before the listeners are called.
	batchTime = 50 * time.Millisecond

	// floodBatchTime replaces batchTime after a batch of more than floodThreshold changes: no user
	// reads so fast, and rendering must not delay what the user types.
	floodBatchTime = 250 * time.Millisecond
	floodThreshold = 30
)

// Subscribe calls changed after each batch of changes, from another goroutine than the caller's,
// until leave is called.
func (l *Live) Subscribe(changed func()) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.nextListener
	l.nextListener++
	l.listeners[id] = changed
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.listeners, id)
	}
}

// notify plans a batch, unless one is planned already.
func (l *Live) notify() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changeCount++
	if l.batchPlanned {
		return
	}
	l.batchPlanned = true
	wait := batchTime
	if l.isFlood {
		wait = floodBatchTime
	}
	time.AfterFunc(wait, l.notifyListeners)
}

// notifyListeners ends the batch, and calls the listeners.
func (l *Live) notifyListeners() {
	l.mu.Lock()
	l.batchPlanned, l.isFlood, l.changeCount = false, l.changeCount > floodThreshold, 0
	listeners := make([]func(), 0, len(l.listeners))
	for _, f := range l.listeners {
		listeners = append(listeners, f)
	}
	l.mu.Unlock()
	for _, f := range listeners {
		f()
	}
}

// set changes fields while it holds the lock, and notifies the listeners.
func (l *Live) set(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	l.notify()
}
