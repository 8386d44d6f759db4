package port

import (
	"context"
	"errors"
)

// A Page is the browser's page that a client runs in: what happens to it, and
// the ways to the other tabs of the same browser. Package browser has the real
// one; fake.Browser makes pages for tests, and both pass porttest.
type Page interface {
	// Tab names the page. No two have the same name.
	Tab() string
	// Visible and Focused tell what the page is now.
	Visible() bool
	Focused() bool
	// Online tells whether the browser believes to have a network. It may be
	// wrong, so that it explains a failure and never prevents an attempt.
	Online() bool
	// Watch calls took with what happens to the page, until stop is called.
	// took must not block.
	Watch(took func(PageEvent)) (stop func())
	// HasLocks tells whether Lock can work here.
	HasLocks() bool
	// Lock waits for a lock of a name, which all tabs share, calls held, and
	// keeps the lock until ctx ends. held must not block. An error before that
	// means that it was not granted, or was stolen by another tab.
	Lock(ctx context.Context, name string, mode LockMode, held func()) error
	// Wanted tells whether some tab waits for a share of a lock.
	Wanted(ctx context.Context, name string) (bool, error)
	// Channel joins a channel: what other tabs post comes to take, in the order
	// of each. take must not block.
	Channel(name string, take func(message []byte)) Channel
}

// A Channel reaches the other tabs that have joined it.
type Channel interface {
	Post(message []byte)
	Close()
}

// LockMode is how a lock is held.
type LockMode int

// The modes.
const (
	Exclusive LockMode = iota
	Shared
	Steal // exclusive, at once, whoever has it
)

// ErrLockLost means that a lock was not granted, or was stolen.
var ErrLockLost = errors.New("wasmclient: the lock is another tab's")

// A PageEvent is something that happened to a page.
type PageEvent string

// The events.
const (
	Appeared PageEvent = "visible"
	Vanished PageEvent = "hidden"
	Focused  PageEvent = "focus"
	Blurred  PageEvent = "blur"
	// Frozen: nothing of the page runs after this, until it is Thawed, if ever:
	// it was frozen, or left for another page.
	Frozen  PageEvent = "freeze"
	Thawed  PageEvent = "resume"
	Online  PageEvent = "online"
	Offline PageEvent = "offline"
)

// Storage keeps small values over reloads. Package browser has one over
// IndexedDB; Memory forgets. Both pass porttest. It is safe for concurrent
// use.
type Storage interface {
	// Load returns all values whose keys begin with a prefix.
	Load(ctx context.Context, prefix string) (map[string][]byte, error)
	// Save stores a value; it is there when Save returns.
	Save(ctx context.Context, key string, value []byte) error
	// Delete removes the keys that begin with a prefix; "" is everything.
	Delete(ctx context.Context, prefix string) error
}

// A Persister is a Storage that browsers empty by themselves when they run out of
// space, unless they are asked not to.
type Persister interface {
	// Persist asks the browser to keep the storage, and does not wait for the
	// answer. Some browsers ask their user.
	Persist()
}

// A Noter is a Storage with a place for a short text that outlives the storage. By
// it the client tells an emptied storage from a new one.
type Noter interface {
	// Note replaces the words. Deleting everything from the storage deletes
	// them too.
	Note(words string)
	// Noted returns the text, or "" without one.
	Noted() string
}
