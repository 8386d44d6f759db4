// Package projection folds events into the last state of each entity, and
// computes the figures of the dashboard from that state. Broker and client
// run the same fold: the broker over the whole log, the client from a
// snapshot on.
//
// The fold works on whole fields, so it commutes with leaving fields out: for
// every reader, the fold of the events as they see them is the broker's state
// as they see it, at every cursor and from any snapshot. What would break
// that is not in the fold: it has no clock (an entity that was closed for
// long starts afresh by the times of its own events), and it never looks at
// the figures or at other readers.
//
// The times of events are never far after the clock of the broker that stored
// them (event.MaxAhead): a time of the far future would outrank all that comes
// until then. ClampTimes brings the times of an older state back.
package projection
