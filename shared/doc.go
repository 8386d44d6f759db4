// Package shared has no code. The broker, the program in the browser, the edge and the
// tests share its subpackages:
//
//   - event: the vocabulary of events, and their validation
//   - access: the rights of each role to see and publish events, and redaction
//   - filter: the selection of events that a reader asks for
//   - wire: the frames and cursors of a stream
//   - projection: the fold of events into entities, and the figures of the dashboard
//   - notify: the notifications that a user gets
//   - problem: the refusals of the broker
//   - deptest: checks of the rules of the architecture, for tests
//   - waittest: waiting, for tests
//   - randtest: the number of random cases, for tests
//   - syncbuffer: a buffer for the output of a running program, for tests
//
// These packages use the standard library only. Apart from the four for tests, they have no network,
// no goroutine and no clock of their own.
package shared
