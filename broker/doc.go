// Package broker assembles the parts of one installation: the event log, the hub, the
// HTTP API, push notifications, metrics and the app.
//
// # Usage
//
// [New] checks a [Config] and opens the log and the listener, [Broker.Run] serves until
// its context ends, and [Broker.Close] releases what New has opened. When Run returns
// [ErrReopen], the caller closes the broker and makes a new one, because the log was put
// back to an earlier state. [Restore] makes a data directory from a backup while no
// broker uses it.
//
// # Errors
//
// A fault that the operator can remove in the configuration, or in the files that it
// names, is a [*Misuse]. Another error comes from the system or from an external NATS
// server, and may be gone at the next attempt. Faults that do not keep the broker from
// serving are warnings: New logs them, and GET /readyz lists them.
//
// # Concurrency
//
// Run starts these goroutines, and ends all of them before it returns:
//
//   - hub.Hub.Run reads the log. Only its goroutine changes the head, the ring,
//     the views and the projection. It starts two more goroutines: one sends heartbeats
//     and closes readers that lag, the other stores the checkpoint.
//   - httpapi.API.Run applies changes of users, roles and keys to open connections. It
//     starts one more goroutine, which keeps the public status.
//   - The push service follows the log and sends notifications.
//   - A goroutine purges old events once an hour.
//   - The HTTP server has a goroutine for each request. The goroutine of a stream
//     pulls from its subscriber and writes to its socket. A slow reader delays only itself.
//   - With Config.Demo, the demo company publishes as any back end would.
//   - With Config.DebugListen, a second server serves profiles and metrics.
package broker
