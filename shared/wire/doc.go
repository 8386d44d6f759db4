// Package wire is the stream between broker and clients: cursors, frames, and
// their form in Server-Sent Events and, as lines of JSON, in WebSocket messages.
//
// A stream is a sequence of frames: one Hello, then events, gaps and
// heartbeats in the order of the log, and at most one Bye at the end. Every
// frame but Bye carries a cursor, and whoever resumes at the last cursor that
// reached them misses nothing and sees nothing twice.
//
// Decoder follows the WHATWG's HTML standard, section "Interpreting an event
// stream", on any split of the input.
package wire
