// Package event is the vocabulary of Yardline: the CloudEvents envelope, the ten
// payload types with their rules, and the values that follow from a payload (module,
// severity, subject, entity and the text of a toast).
//
// # Usage
//
// A publisher builds an event with a constructor such as [PaymentReceived], or with
// [New] from any payload. A broker reads events from outside with [Parse], and fills
// in the id and the time with [Event.Stamp] when a publisher named none. A reader gets the payload as a
// Go struct from [Decode], or field by field from [Event.Data].
//
// # Payloads
//
// The Go structs in the files payload_*.go are the single source of the vocabulary.
// The tags of a field declare what validation, redaction and the generated schemas
// need:
//
//	json     the field's name on the wire
//	class    its sensitivity class, see Class
//	rule     its rules, separated by spaces: required, strict, past, min=, max=,
//	         more_than=, less_than=, len=, items=, step=, format=
//	enum     the allowed values, separated by commas, or $ and the name of a list
//	default  the value that an absent enum stands for in the first event of an entity
//
// [Fields] and [Spec] return these declarations.
//
// A payload travels as an [Object]: its fields in declared order, each value still raw
// JSON. The broker only handles whole fields: it hides a field, merges it into a
// state, or writes it to a stream.
//
// # Guarantees
//
//   - An event that [Parse] or [New] returns is valid and canonical. Parsing it again
//     changes nothing.
//   - It contains no raw control character when it is written by [Event.AppendJSON],
//     so that no value of a publisher can break a frame or a line.
//   - A text that identifies a thing, such as an id or a subject, has no control
//     character at all.
//   - The package has no clock and no randomness. The caller passes the broker's clock
//     in [Rules].
//
// # Concurrency
//
// All functions may be called concurrently. Copies of an Event or an Object share memory.
// Change none in place: make a new Object with [Object.With].
//
// # Errors
//
// Each refusal of an event is a [*Problem]. It names every refused field.
package event
