// Package event is the vocabulary of Yardline: the CloudEvents envelope, the
// ten payload types with their rules, and the catalogue that derives module,
// severity, subject, entity and toast text from a payload.
//
// The Go structs in the payload files are the single source of the
// vocabulary. Their tags declare, for every field, what validation, redaction
// and (in other packages) the generated schemas need:
//
//	json     the field's name on the wire
//	class    its sensitivity class (see Class)
//	rule     space separated: required, strict, past, min=, max=, over=, len=, items=, format=
//	enum     the allowed values, comma separated
//	default  what an absent enum means in the first event of an entity
//
// A payload travels as an Object, its fields in declared order and each value
// still raw JSON, because everything that the broker does with it (leave a
// field out, merge it into a state, write it to a stream) works on whole
// fields. Decode turns it into the struct where typed access is wanted.
//
// Parse is the boundary: what it returns is valid and canonical, and contains
// no raw control character, so that no value from a publisher can break a
// frame. Nothing that identifies a thing has a control character at all. The
// package is pure: it has no clock, no goroutine and no randomness. Rules hand
// the broker's clock to Parse, and ClampTimes brings a time that is ahead of the
// clock back to it.
package event
