// Package edge runs the hub on Cloudflare Workers. One Go program runs in two places, as the front
// and as the object.
//
// # Front
//
// The front is stateless, and each isolate has one. It identifies the client, and refuses the
// requests that the broker would refuse. It passes every other request on to the object of the
// tenant that the credential names. When the variable ORIGIN is set, the front is a gate: it passes
// requests on to the broker at that address instead.
//
// # Object
//
// The object is the hub of one tenant, in a Durable Object. Its log is in the object's SQL storage
// (package sqllog), its API is that of httpapi, and its hub writes to all readers of a view at
// once. It has no timers: an alarm sends heartbeats, closes connections whose credential has
// expired, stores the state and purges old events. So an object whose only connections are quiet
// WebSockets can sleep. The object trusts the identity that the front forwards, because no other
// requests reach it.
//
// # Concurrency
//
// Each request has a goroutine. Each WebSocket has two: one handles the client's messages, one sends
// frames. The functions that worker.mjs calls must not wait for JavaScript.
//
// # JavaScript
//
// worker.mjs is the JavaScript around front and object. It starts the program, and starts another one
// when the program has ended. It also holds the connections: the Go program knows only their names.
package edge
