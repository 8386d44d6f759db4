// Package httpapi is the HTTP API of the broker: streams, publishing, history, sessions,
// push devices, the public status, and the files of the app.
//
// A handler translates between HTTP and the packages that decide: identity authenticates,
// hub validates, stores and delivers events, access (of shared) redacts. All refusals are
// problem documents (RFC 9457); the package problem of shared lists them.
//
// # Usage
//
// [New] returns the API of a broker. Its program runs [API.Run] beside the HTTP server. To
// stop, it drains the hub, shuts the HTTP server down, calls [API.Shutdown] and ends Run:
//
//	api := httpapi.New(config)
//	go api.Run(ctx)
//	server := &http.Server{Handler: api}
//
// [NewFront] returns an API that authenticates and checks requests, and forwards the valid
// ones to another API. The edge uses it: its front has no log and no streams. A program that
// cannot run goroutines between requests calls [API.CloseExpired] and [API.RefreshStatus] in
// place of Run, and brings its own WebSockets by Config.Socket, [API.CheckUpgrade] and
// [API.Open].
//
// # Order of the middleware
//
// A request passes these steps in this order. Each of them may answer it.
//
//  1. logRequests gives the request an id (the header X-Request-Id) and a logger, and logs
//     its status when it has ended.
//  2. guard sets the security headers, turns a panic into the problem "internal", sets the
//     deadlines for body and answer, refuses foreign hosts if Config.LoopbackOnly is set, and
//     reads and drops the body of a GET, HEAD, DELETE or OPTIONS request.
//  3. cors answers preflights, and lets pages of Config.Origins read answers under /api/.
//  4. http.CrossOriginProtection refuses a request that is not safe (such as a POST) and that
//     a page of another origin has sent.
//  5. The mux picks the route. Config.UI gets all paths outside of /api that no route has.
//     Another method of a known path is refused with 405, and an unknown path under /api/
//     with 404.
//  6. detachFromClient lets the request go on, for a bounded time, when the client closes its
//     side of the connection. The routes in streamingRoutes do not have this step.
//  7. checkQuery refuses unknown, repeated and malformed parameters. Only routes under /api/
//     have this step.
//  8. authenticated lets Config.Authority find the sender, by bearer token, by cookie or by
//     the header of a front, or refuses the request. adminOnly also refuses senders that are
//     not admins. The routes under /embed/ have allowAnyOrigin in place of these. The routes
//     of sessions, documents and health have neither, and need no authentication. The
//     handlers of WebSockets authenticate by themselves.
//
// # Life of a request
//
// POST /api/sse is typical. handlePostSSE gets the request and its principal. It reads the
// body within the deadline of guard, finds the events in it, and counts them against the
// publish rate. Then it calls [hub.Hub.Publish] or [hub.Hub.PublishBatch], which validates,
// authorises and stores them. It answers with the receipts, or calls [API.Refuse] with the
// error. Refuse maps every error of the other packages to a problem (problemOfCause), and logs
// the cause only if the fault is the broker's. Handlers and middleware refuse by Refuse alone;
// calls on a WebSocket get the same documents in its replies.
//
// # Life of a stream
//
// A stream of server-sent events (handleGetSSE) and a WebSocket (handleGetWS) pass the same
// steps. A [Reader] holds the state of both:
//
//  1. The handler reads the filter and the cursor to resume at, and authenticates the client.
//     A WebSocket without cookie and token may do so in its first message; until then it uses
//     one of the few slots for unauthenticated connections.
//  2. acquireSlot takes a slot of [Limits], or refuses.
//  3. [hub.Hub.Subscribe] opens the subscription.
//  4. grantWatcher.add watches the grant. It authenticates once more, so that a stream cannot
//     open by a grant that has ended since step 1. If it has, the request is refused.
//  5. A stream over HTTP/1 without TLS goes to Config.Fanout, which writes it from now on,
//     and its handler returns. The connection ends with the stream. For every other stream
//     [Reader.Pump] writes frames until either side ends. Each write has its own deadline. On
//     a WebSocket two more goroutines run: listen answers calls by [Reader.HandleCall], and
//     watchPeer pings.
//  6. The stream ends when the client leaves, when a write is too slow, when the peer of a
//     WebSocket answers no ping, or when the subscription is closed. The broker closes it
//     when the grant has ended (sign-out, expiry, another role or key), an admin asks for it,
//     the reader lags too far behind, or the hub drains. A closed subscription ends with a
//     goodbye that gives the reason, except for a reader that lags. The broker cuts the
//     connection of a stream without a goodbye, so that the stream does not look complete.
//  7. [Reader.Leave] stops the watch, leaves the hub and releases the slot.
//
// A long poll (GET /api/events with wait) has a slot and a watched grant, too, but no
// subscription.
//
// # Concurrency
//
// An [API] is safe for concurrent use. New and NewFront write the routes and the
// configuration; nothing changes them later. These locks guard the rest:
//
//   - connectionGate.mu guards the numbers of open connections.
//   - rateLimiters.mu guards the token buckets.
//   - grantWatcher.mu guards the set of watched connections. It is not held while a
//     connection is ended or authenticated again.
//   - status.mu guards the public status and the channel that tells of its change.
//   - meteredConn.writeMu guards the parser of the frames that a WebSocket writes, and is held
//     during each write to its connection. The parser of the frames that are read belongs to
//     the goroutine that reads. The counters of bytes are atomic.
//
// No code of this package takes one of them while it holds another, nor calls the hub, the
// log or the authority while it holds one. The hub calls the condition of
// [hub.Hub.CloseWhere] under its own lock; the condition here takes no lock.
//
// API.Run uses two goroutines, which end with its ctx. Every other goroutine ends before the
// handler or method that has started it returns, except for the functions of two timers. One
// breaks off the write of a reader a second after its grant has ended, and does nothing if the
// reader has left. The other refuses a WebSocket that does not authenticate in time.
//
// # How to add a route
//
//  1. Write a handler that is named after the route: handleGetStats for GET /api/stats. Its
//     comment begins with the route. It answers by writeJSON, or by Refuse and return.
//  2. Add the route to the list in New, with authenticated, adminOnly or allowAnyOrigin, and to
//     the list in NewFront if the front forwards it. At the edge, worker.mjs lists the
//     first segments of the paths that reach the front.
//  3. List its query parameters in queryParameters. Add it to streamingRoutes if its answer
//     waits for events. Add new request headers to corsHeaders.
//  4. Describe it in broker/schema (paths.go, and components.go for its answer), and in docs/protocol.md.
//     TestOpenAPIHasEveryRoute compares the lists; add a request for it to
//     TestAnswersMatchTheOpenAPIDocument, which compares the answer with the description.
//  5. If its answers contain events, add it to the outlets in visibility_test.go. Otherwise the
//     test there checks that it reveals nothing of any event.
package httpapi
