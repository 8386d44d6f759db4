// Package projection folds events into the last state of each entity, and computes the
// figures of the dashboard from that state.
//
// # Usage
//
// The broker folds its whole log into a [State] with [State.Apply]. It gives each reader a
// [Snapshot] of that state. The reader builds a State from the snapshot with
// [NewStateFrom], and applies the events of its stream, which it opens at the snapshot's
// cursor.
//
// # Guarantees
//
//   - Folding commutes with redaction. For every reader, at every cursor and from any
//     snapshot, the fold of the redacted events equals the redacted fold of all events.
//   - Applying an event again changes nothing.
//   - Entities in a State are never changed in place, so they may be read while the State
//     applies more events.
//   - After a fold from any valid events, a State can be written as JSON.
//
// The first guarantee holds because the fold works on whole fields, and looks at nothing
// that a reader may not have: it has no clock, and it knows neither the figures nor other
// readers. An event that comes long after an entity was closed starts a new entity. The fold
// compares the times of the events for this, not the time of a clock.
//
// Times of past events are at most [event.MaxAhead] after the clock of the broker that
// stored them. Otherwise, an event with a time in the far future would outrank all others
// until that time.
// [State.ClampTimes] corrects the times of a state that an older broker stored.
//
// # Concurrency
//
// A State is not safe for concurrent use. Entities, snapshots and figures may be shared
// between goroutines that do not change them.
package projection
