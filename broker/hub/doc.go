// Package hub turns the log into streams.
//
// One goroutine, Hub.Run, tails the log. For every record it appends to the
// ring of recent events, folds the event into the projection, and writes it
// to the views. Nothing reaches a reader or the fold that the log has not
// acknowledged.
//
// A view is what subscribers with the same roles and the same filter share:
// one log of bytes, already framed. An event is matched, redacted and encoded
// once a view. A subscriber is an offset into that log, and pulls: Hub.Run
// never waits for one. Whoever lags by more than a bound of bytes is closed,
// and resumes by cursor.
//
// What depends on the person (the employee whom an event is about, the user
// who started a sync) is a splice: bytes that one subscriber sends when its
// offset reaches the place. A filter by subject is matched from the ring, for
// its connection alone.
//
// A subscriber first catches up, from the ring or in pages from the log, and
// joins its view when it has reached the head. Both the head and the views
// move under the hub's lock alone, so the seam has no hole and no overlap.
//
// The package knows no network, no NATS and no metrics: the same hub runs at
// the edge.
package hub
