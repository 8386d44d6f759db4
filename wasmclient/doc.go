// Package wasmclient is useSSE: one live connection to a Yardline broker, and
// the store that it feeds.
//
// Three pure machines decide: conn (the life of a connection), tabs (which tab
// of a browser has it, and how the others live by it), outbox (what the user
// wrote, on its way to the broker). Client.Run is the one goroutine that drives
// them: it carries out their effects through the ports Transport, Page and
// Storage (package browser has all, package native the first), and feeds frames
// into the store. Callbacks run on that goroutine, one at a time and in
// the order of the log; they must not block, and must not call Run or wait for
// the client. Everything else may be called from any goroutine.
package wasmclient
