// Package loop runs the client of package wasmclient: it drives the machines of packages conn, tabs and outbox, and
// carries out their effects. Programs that use the client cannot import it.
//
// # How a message travels
//
// Callbacks, timers, attempts and the client's methods send messages (message.go). [Loop.Run] has one goroutine
// that handles them one at a time, in driver.handle, which has a case for each type of message. Most cases give an
// input to a machine and carry out the effects that the machine returns. An effect starts something beside the
// goroutine, such as an attempt to connect, which sends messages in its turn; or it changes what the client shows;
// or it is an input of another machine.
//
// # Parts
//
//   - loop.go has what the client's methods use at any time: [Loop] and its [State].
//   - driver.go and connection.go drive the connection's machine. transport.go carries its attempts.
//   - group.go drives the election among the tabs of a browser; follower.go reads from the tab that leads.
//   - outbox.go drives the outbox; send.go carries its items to the broker.
//   - storage.go and saved_state.go keep outbox and state over reloads.
//   - toasts.go decides which tab shows a toast.
//
// # Concurrency
//
// Loop.mu guards [State]. Only Run's goroutine changes the machines in it, so that this goroutine reads them
// without the lock. Only Run's goroutine uses driver, group, attention and keeper, except for the keeper's jobs:
// these use the storage in a goroutine of their own, one after the other. Messages that may wait go through an
// unbuffered channel, so that a stream is read only as fast as its frames are handled; all others go through the
// mailbox.
package loop
