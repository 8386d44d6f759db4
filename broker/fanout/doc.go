// Package fanout writes streams to many connections with few goroutines.
//
// It takes a connection from the HTTP server and its descriptor out of Go's
// network poller. An idle stream is then a descriptor, an offset in a view of
// the hub and a few words of state: it has no goroutine, no buffer and no timer.
// The package works on Linux, for HTTP/1 without TLS. Other streams have a
// goroutine each, which calls [hub.Subscriber.Next].
//
// # Usage
//
// Make a [Writer] with [New], and call [Writer.Close] at the end. For each
// stream call [Writer.NewStream], open a subscription of the hub with the
// methods of the [Stream] as its Wake and Abort, and call [Stream.Start].
//
// # How it works
//
// Each core has a shard: one goroutine that owns a part of the streams, and
// waits with epoll (epoll(7), edge-triggered) until a peer leaves, until a full
// socket has room again, or until the hub has something new. Then it makes a
// round: it goes through the views that have new bytes, and writes to each of
// their streams everything that the stream lacks, in one call. All streams at
// the same place of a view get the same bytes, so that the chunk of HTTP around
// them is made once.
//
// Rounds that follow each other without a rest mean load. After a round, a
// shard waits as long as the round took, at most [maxRest], before it begins the
// next, so that several events become one write. Without load no event waits.
//
// A stream that catches up, or whose filter names subjects, has no view. Workers
// serve it: a few for events of the hub's ring, and a few that read the log. A
// worker writes what it has read at once, so that no more pages are in memory
// than there are workers and full sockets.
//
// # Concurrency
//
// A stream has one owner at a time: the goroutine that starts it, then its
// shard, and a worker in between. Only the owner touches the fields of a stream
// that are not atomic. shard.mu guards the inbox, by which other goroutines give
// streams to the shard and wake it. queue.mu guards a queue of the workers.
// Neither is held while another lock is taken.
package fanout

import "time"

// A Response describes what [Stream.Start] writes.
type Response struct {
	// Head is the head of the response.
	Head []byte
	// IsChunked makes each write a chunk of HTTP/1.1. Otherwise the body consists
	// of the frames, and ends with the connection.
	IsChunked bool
	// WriteTimeout is the time that the peer may take for one chunk of at most
	// 64 KiB. The stream of a slower peer ends.
	WriteTimeout time.Duration
	// Ended is called once, when the stream has ended, by any goroutine. The
	// reason is a *hub.ClosedError when the broker has ended the subscription,
	// os.ErrDeadlineExceeded when the peer was too slow or the stream was aborted,
	// context.Canceled when the peer has left or the Writer has ended all streams,
	// otherwise the error of the log or of the connection. Ended must not block for
	// long.
	Ended func(reason error)
}
