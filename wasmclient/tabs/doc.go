// Package tabs lets all tabs of a browser share one connection.
//
// # Usage
//
// The package has three machines without clock, lock, channel or goroutine. Their driver (the loop
// of package wasmclient) gives them inputs and the present time, and carries out the effects that
// they return.
//
//   - A [Member] elects the tab that leads, by a lock that one tab holds. It watches that the
//     leader answers, and puts the connection to sleep while every tab is hidden.
//   - A [Relay] works in the tab that leads. It numbers what the connection delivers, and keeps
//     the last events for tabs that attach later.
//   - A [Reader] works in a tab that follows. It asks the leader for the events after its place,
//     notices messages that it missed, and says when it must ask again.
//
// # Guarantees
//
// At most one tab at a time holds the leader's lock. A visible tab takes the lock from a leader
// that does not answer; the former leader follows as soon as it runs again.
//
// A follower is to the leader as a client is to the broker: it names a cursor and gets what comes
// after it. So each change of the leader is a resumption, whatever happened to the former leader:
// closed, crashed, frozen, in the back/forward cache, or robbed of its lock. A follower reads what
// a relay no longer has from the broker's history.
//
// # Concurrency
//
// None of the machines is safe for concurrent use.
package tabs
