// Package conn is the life of one connection as a pure machine: it takes
// inputs, with the time at which they came, and returns effects for its
// driver to carry out. It has no clock, no network and no goroutine, so every
// behaviour of a connection is a script (testdata).
//
// The life: a snapshot, if one is wanted; the stream opened at its cursor;
// hello; live. Whatever ends the stream leads to another attempt after a
// backoff, resumed at the last cursor, unless the broker itself said that no
// attempt will help (its problem document with 401 or 403, bye signed_out, bye
// stop). What a proxy says is never the last word. A gap, another epoch or another grant
// leads back to a snapshot.
package conn
