// Package wasmclient is useSSE: one live connection to a Yardline broker, and
// the store that it feeds.
//
// A Client owns one goroutine, Client.Run. It drives the pure machine of
// package conn: it carries out the machine's effects through a Transport
// (package browser over fetch, package native over net/http), and feeds
// frames into the store. Callbacks run on that goroutine, one at a time and in
// the order of the log; they must not block, and must not call Run or wait for
// the client. Everything else may be called from any goroutine.
package wasmclient
