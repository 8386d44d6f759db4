// Package edge runs the hub on Cloudflare Workers: one Go program in two
// places.
//
// The front is stateless and there is one in every isolate. It knows who
// somebody is, refuses what would be refused, and lets the rest through: to
// the object of the tenant that the credential names, or, as a gate (ORIGIN is
// set), to a broker elsewhere.
//
// The object is a tenant's hub, in a Durable Object: the log is in the object's
// SQLite storage (sqllog), the surface is httpapi's, and the hub writes by
// views. It has no clock: an alarm sends heartbeats, ends what has expired,
// stores the state and forgets old events, so that an object with quiet
// WebSockets alone can sleep. What the object is told by the front about who
// asks it believes, since nothing else reaches it.
//
// worker.mjs is the JavaScript around both: it starts the program, holds the
// connections, and starts another one where a program has ended. A connection
// is a name for Go; a view is written to in one call.
package edge
