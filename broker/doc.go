// Package broker puts the parts together: Config → New → Run → Close.
//
// Which goroutine owns what:
//
//   - hub.Run tails the log; it alone moves the head, the ring, the views and
//     the projection.
//   - Two helpers of hub.Run send heartbeats and close who lags, and store the
//     checkpoint.
//   - Every stream has its request's goroutine, which pulls from its
//     subscriber and writes to its socket. It waits for nobody else, and nobody
//     waits for it.
//   - The keeper forgets old events once an hour.
//   - The demo company, if asked for, publishes as any back end would.
//
// Run ends all of them before it returns.
package broker
