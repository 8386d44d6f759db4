// Package schema describes Yardline's events and API in formats for other programs:
// JSON Schema (draft 2020-12), OpenAPI 3.1, AsyncAPI 3.0 and TypeScript.
//
// # Usage
//
// [EventSchema] returns the JSON Schema of one event type. [OpenAPI], [AsyncAPI] and
// [TypeScript] return whole documents. The functions are safe for concurrent use, and
// return the same bytes at each call.
//
// # Guarantees
//
//   - The parts about events are generated from the tags of shared/event and the
//     table of shared/access, so they agree with what the broker accepts and shows.
//   - Each event type has two schemas. The one for publishers ([ForPublishers])
//     allows the fields of strict mode, and requires those that every mode requires.
//     The one for readers ([ForReaders]) requires only the fields that every reader
//     may see, because a field that a reader may not see is absent.
//   - No schema is stricter than the broker. A few rules of the broker cannot be
//     expressed in JSON Schema: the tests list them.
package schema
