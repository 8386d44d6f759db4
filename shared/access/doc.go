// Package access decides who may read and publish which events.
//
// # Usage
//
// [Table] is the visibility table: for each type, the roles and persons that see it, the
// fields that they see, and the roles that publish it. Every path by which events leave
// the broker calls [Redact], or its two halves [RedactForRoles] and [RedactForPerson].
// The program in the browser reads the same table to hide what a user cannot do, but the
// broker alone decides.
//
// # Guarantees
//
//   - What the table does not allow is denied. A field that the vocabulary does not
//     declare is never shown.
//   - The roles of a reader add up, field by field: a field is shown if one of the roles
//     shows it.
//   - What a reader may see as a person (the employee that an event is about, or the user
//     that started a sync) counts only if no role of the reader shows the event.
//
// Because of the last rule, all readers with the same roles get the same fields of an
// event, except the few persons that the event is about. The broker therefore redacts each event
// once for each set of roles.
//
// # Concurrency
//
// All functions may be called concurrently. A [Grant] is a value.
package access
