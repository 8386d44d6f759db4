// Package schema describes the vocabulary and the API for others: JSON Schema
// (draft 2020-12), OpenAPI 3.1, AsyncAPI 3.0 and TypeScript. Everything about
// events is made from the tags of shared/event and the table of
// shared/access, so that it cannot differ from what the broker does.
//
// Each type has two schemas. That for publishers holds what strict mode
// takes, with the fields that are required in any mode. That for readers
// requires only what every reader is shown: a field that a reader may not see
// is absent.
package schema
