// Package shared has no code. Its subpackages are what the broker, the program in the
// browser, the edge and the tests have in common:
//
//   - event: the vocabulary of events, and their validation
//   - access: who may see and publish which events, and redaction
//   - filter: which events a reader subscribes to
//   - wire: the frames and cursors of a stream
//   - projection: the fold of events into entities, and the figures of the dashboard
//   - notify: the notifications that a user gets
//   - problem: the refusals of the broker
//   - deptest: tests of the rules of the architecture
//   - waittest: waiting in tests
//
// These packages use the standard library only. Apart from the two for tests, they have no network,
// no goroutine and no clock of their own.
package shared
