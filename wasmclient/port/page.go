package port

import (
	"context"
	"errors"
)

// A Page is the page of a browser that a client runs in, with its ways to the other tabs of the same browser.
type Page interface {
	// Tab returns the name of the page. No two pages have the same name.
	Tab() string

	// IsVisible reports whether the page is visible now.
	IsVisible() bool

	// IsFocused reports whether the page has the focus now.
	IsFocused() bool

	// IsOnline reports whether the browser believes that it has a network. The browser may be wrong. The client uses
	// this to explain a failure, and attempts to connect all the same.
	IsOnline() bool

	// Watch calls handle with the events of the page until stop is called. handle must not block.
	Watch(handle func(PageEvent)) (stop func())

	// HasLocks reports whether Lock can work here.
	HasLocks() bool

	// Lock waits for the lock of a name, which all tabs share, then calls held, and keeps the lock until ctx ends. held
	// must not block. An error before ctx ends means that the lock was not granted, or that another tab stole it.
	Lock(ctx context.Context, name string, mode LockMode, held func()) error

	// IsWanted reports whether a tab waits for a share of a lock.
	IsWanted(ctx context.Context, name string) (bool, error)

	// Channel joins a channel. It calls handle with the messages that other tabs post, those of each tab in their
	// order. handle must not block.
	Channel(name string, handle func(message []byte)) Channel
}

// A Channel reaches the other tabs that have joined it.
type Channel interface {
	// Post sends a message to the other tabs. It does not wait for them.
	Post(message []byte)

	// Close leaves the channel.
	Close()
}

// LockMode says how a tab holds a lock.
type LockMode int

const (
	// Exclusive waits until no other tab holds the lock.
	Exclusive LockMode = iota
	// Shared waits until no other tab holds the lock exclusively.
	Shared
	// Steal takes the lock at once, exclusively. Tabs that hold it lose it.
	Steal
)

// ErrLockLost means that a lock was not granted, or that another tab stole it.
var ErrLockLost = errors.New("wasmclient: the lock is another tab's")

// A PageEvent says that something happened to a page.
type PageEvent string

const (
	// Appeared says that the page became visible.
	Appeared PageEvent = "visible"
	// Vanished says that the page became hidden.
	Vanished PageEvent = "hidden"
	// Focused says that the page got the focus.
	Focused PageEvent = "focus"
	// Blurred says that the page lost the focus.
	Blurred PageEvent = "blur"
	// Frozen says that the browser freezes the page, or that the user leaves for another page. Nothing of the page runs
	// afterwards until Thawed, which may never come.
	Frozen PageEvent = "freeze"
	// Thawed ends Frozen.
	Thawed PageEvent = "resume"
	// Online says that the browser reports a network.
	Online PageEvent = "online"
	// Offline says that the browser reports no network.
	Offline PageEvent = "offline"
)
