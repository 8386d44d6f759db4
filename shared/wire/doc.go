// Package wire defines the stream between broker and clients: its frames, its cursors,
// and their form in Server-Sent Events and in WebSocket messages.
//
// # Frames
//
// A stream is a sequence of frames. The first frame is a [Hello]. [Event], [Gap] and
// [Heartbeat] frames follow, in the order of the log. The last frame may be a [Bye].
// On a WebSocket, a [FilterChanged] and a [Reply] answer the calls of the client.
//
// # Guarantees
//
//   - Every frame except Bye and Reply carries a [Cursor]. A client that resumes after
//     the last cursor that it received misses no event and gets no event twice.
//   - No value of a publisher can end a frame or a line, because events have no raw
//     control character (see the package event).
//   - A client ignores events that it does not know, so that a newer broker may send
//     more than an older client understands.
//   - [Decoder] follows the section "Interpreting an event stream" of WHATWG's HTML
//     standard, however the network splits the stream.
//
// # Usage
//
// The broker writes a frame with [Format.Append]. A client of Server-Sent Events passes
// each piece of the body to [Decoder.Feed], and each message to [ParseMessage]. A client
// of a WebSocket passes each line of a message to [ParseJSON].
//
// # Errors
//
// ParseMessage and ParseJSON return nil without an error for an unknown event. They
// return an [*Unreadable] for an event of a known type that this build cannot read, so
// that its cursor is not lost.
package wire
