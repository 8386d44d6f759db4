// Package wasmclient is useSSE in Go: one live connection to a Yardline broker, which all tabs of a browser share,
// and the store that the connection feeds. It runs in a browser, as WebAssembly, and in any Go program.
//
// # Usage
//
// [New] makes a [Client] from [Options]: give it a [Transport] (of package browser or native) and, in a browser, a
// [Page] and a [Storage]. [Client.Run] connects, reconnects and resumes until its context ends. Read what the
// client knows with [Client.View], get events by a callback ([On], [Client.Subscribe], [Options.OnEvent]), and
// write events with [Client.Publish].
//
// A program that only calls the broker needs no client: [API] has one method for each resource.
//
// # Guarantees
//
//   - Every event that the user may see is delivered once, in the order of the log. Events that the broker no
//     longer keeps are reported to [Options.OnGap].
//   - There is no last attempt. The client stops only if no further attempt can help, because the broker refuses the
//     user (conn.Denied) or an administrator closed the stream (conn.Disconnected).
//   - One tab of a browser holds the connection. When it closes, crashes or is frozen, another tab takes over without a
//     loss. In a browser without Web Locks each tab connects for itself.
//   - An event that [Client.Publish] has returned is stored once, even after a reload or a crash, provided that
//     there is a Storage and that it works ([View.Unsaved]). Events are sent in the order of writing. An event that
//     the broker refuses stays in [View.Outbox] as rejected.
//   - Nothing that was for another user, or for rights that the user no longer has, is shown or kept.
//
// Three machines without clock, network or goroutine decide all this: package conn (the life of a connection),
// package tabs (which tab has the connection, and how the others get its events) and package outbox (what the user
// wrote, on its way to the broker). Run's goroutine drives them, carries out their effects through the ports of
// package port, and feeds the frames into package store.
//
// # Concurrency
//
// All functions may be called from any goroutine. Run may be called only once. Run's goroutine calls the callbacks
// for events, gaps and steps, one at a time, in the order of the log. A callback must not block: it must not call Run,
// and it must not wait for something that the client has yet to do. It may subscribe, cancel subscriptions and read
// the View. Other goroutines call [Options.OnChange] too.
//
// # Errors
//
// A method of [API] returns an [*Error] if the broker, or a proxy in front of it, refused the request. It returns
// [ErrNotBroker] if a proxy answered with success in the broker's place, and an error of the transport if no answer
// came. Run returns no error: the state and its code are in [View.Status]. [Client.Publish] fails only if its context
// ends or Run has ended ([ErrEnded]); a refusal by the broker is in [View.Outbox].
package wasmclient
