// Package hub turns the event log into streams.
//
// A [Hub] publishes events to a log, follows the log, keeps the state that the
// events add up to, and serves both to readers: as live streams, as pages of
// history and as snapshots. The package knows no network, no NATS and no
// metrics system. The same hub runs in the broker and at the edge.
//
// # Usage
//
// Make a hub with [New] and start [Hub.Run] in a goroutine of its own. Wait for
// [Hub.Ready] where it matters; publications and snapshots wait by themselves,
// up to three seconds.
//
// Store events with [Hub.Publish] or [Hub.PublishBatch]. Open a stream with
// [Hub.Subscribe], call [Subscriber.Next] for its bytes until it returns an
// error, and call [Subscriber.Leave] at the end. [Hub.History] and
// [Hub.Snapshot] serve readers without a stream.
//
// Next waits, and so needs a goroutine for each stream. A program with many
// streams sets [Request.Wake], and calls [Subscriber.Poll], which never waits,
// when Wake or a function of [Hub.Watch] is called. Package fanout does this.
//
// A platform with alarms instead of timers calls [Hub.Follow] instead of Run,
// and then [Hub.Heartbeat] and [Hub.Save] itself. A platform where writes and
// goroutines are expensive sets [Config.Groups].
//
// # Terms
//
// A reader is a user or a service that reads events. A client is the program at
// the other end of a reader's connection. A subscriber is a reader that has an
// open stream. The sequence of an event is the number of its record in the log,
// and its cursor is the sequence with the epoch of the log.
//
// # Guarantees
//
//   - A subscriber receives every event after its cursor that its grant and its
//     filter allow, once and in the order of the log. When events are missing,
//     because they were purged or the cursor belongs to another log, the stream
//     has a gap in their place.
//   - No reader receives an event, and no snapshot shows it, before the log has
//     acknowledged it.
//   - Publish returns when the hub has handled the event, so that the next
//     snapshot shows it. Publish waits at most a second for this.
//   - The owner of an entity never changes, so the right to see an entity does
//     not change either.
//   - A slow reader does not delay other readers or publishers. The hub closes a
//     subscriber for which more than [Config.MaxLag] bytes wait, and its client
//     resumes by cursor.
//   - [Hub.Purge] keeps all events that the checkpoint does not include.
//
// # How streams work
//
// One goroutine, that of Run or Follow, tails the log. For every record it
// appends the event to the ring of recent events, applies it to the state, and
// writes it to the views.
//
// A view is a byte log of frames. All subscribers with the same roles, format
// and filter share one. The hub filters an event once for each view. It redacts
// and encodes the event once for all views with the same roles and format (the
// same audience), before it takes its lock. A subscriber has an offset in its
// view, and pulls the bytes after it.
//
// The ring keeps the frames of its events, so that subscribers who resume cost no
// encoding either. With [Request.Gzip] the view compresses its bytes once for all
// its subscribers; see package sharedgzip.
//
// Some events are visible to one person only, such as the employee that an
// event is about or the user who started a sync. Such an event is a splice: a
// frame that one subscriber reads when its offset reaches a certain byte of the
// view.
//
// A new subscriber first catches up, with events from the ring or with pages
// from the log. At the head of the log it joins its view. The head and the views
// change under one lock, so no event is lost or repeated at this transition. A
// subscriber whose filter names subjects never joins a view. It continues to read
// from the ring or the log until it leaves.
//
// # Concurrency
//
// All methods of Hub may be called concurrently, but only one Run or Follow may
// run at a time. [Subscriber.Next], [Subscriber.Poll], [Subscriber.ReadLog] and
// [Subscriber.MarkWritten] belong to one goroutine at a time for each subscriber.
//
// These locks guard the data of the package:
//
//   - Hub.mu guards the state, the ring, the maps of audiences, views,
//     subscribers, persons and polls, the watchers, and the flag draining. It also orders all writes to views: the
//     bytes of a view are appended under it and read without a lock. It is never
//     held while the hub reads or writes the log.
//   - Subscriber.mu guards the splices and the reason for closing. It may be
//     locked while Hub.mu is held, but not the other way round.
//   - Subscriber.abortMu guards [Request.Abort]. No other lock of the package is
//     taken while it is held.
//   - recentEvent.mu guards the frames of an event of the ring. It is held while
//     a frame is encoded, and may be locked while Hub.mu is held.
//   - signal.mu guards a channel. It is held for a few instructions only.
//   - seqWaiters.mu guards the goroutines that wait for records.
//   - clockWatch.mu guards the observations of the machine's clock.
//   - claims are locks by name: one for each event id and each entity that is
//     being checked and stored. A publication takes all its names at once and
//     holds them while it waits for the log. claims.mu guards their queues.
//
// The hub calls [Observer], [Groups] and [Request.Wake], and the condition of
// [Hub.CloseWhere], while it holds Hub.mu. They must not block, and must not call
// the hub.
//
// # Errors
//
// A publication fails with an [event.Problem] when the event is not valid, with
// a [RefusedError] when some fields are not allowed, with a [MovedError] when
// its entity has changed, and with a [PartialError] when a batch was stored in
// part. A stream ends with a [ClosedError] when the hub closes it. While the hub
// starts, methods return [ErrNotReady]. All other errors are those of the log,
// see package eventlog, or of the context.
package hub
