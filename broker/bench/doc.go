// Package bench loads a server of event streams, and measures what a stream, a delivery
// and a publish cost it. The command yardline bench and make bench run it.
//
// # Usage
//
// [Run] does a whole measurement in this order, and returns a [Report]:
//
//  1. It opens the subscribers, and measures the server's CPU time for it.
//  2. It waits for Config.Settle, and measures the memory of the idle streams.
//  3. It publishes the events, and measures deliveries, delays and CPU time until every
//     subscriber has received every event.
//
// The server may be a Yardline broker or any other server that streams over plain
// HTTP/1.1 and publishes by a POST: addresses, headers and the body are parts of [Config].
// The body's template must carry the text {{payload}} to the subscribers unchanged.
//
// # Concurrency
//
// One thread reads all subscribers by epoll with raw sockets. On a machine with few
// processors, the load generator must not take the time that it measures. A goroutine for
// each publishing connection sends the events. With Config.Gzip a goroutine decodes each
// of a few subscribers; the thread counts only the bytes of the others.
//
// # Guarantees
//
// An event counts as lost when the server has acknowledged it, and a subscriber that was
// open when it was published has not received it by the end. Events of one publishing
// connection count as out of order when a subscriber receives an earlier one after a
// later one.
//
// # Errors
//
// Run needs Linux. It returns [ErrUnsupported] on other systems, a [ConfigError] for a
// fault in the configuration, and a [RefusedError] when the server refuses a request.
package bench
