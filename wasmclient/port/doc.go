// Package port has the interfaces through which a client reaches the program around it. Implement them to run the
// client in a surrounding of your own.
//
//   - [Transport] carries requests to a broker. Packages browser and native have one each; package transporttest tests
//     any.
//   - [Page] is a page of a browser with its ways to the other tabs. Package browser has one; package porttest
//     tests any.
//   - [Storage] keeps small values over reloads. Package browser has one over IndexedDB, and [Memory] forgets; package
//     porttest tests any.
//
// Package fake has all three in memory, for tests.
//
// # Errors
//
// [ErrorOf] reads a refusal from a [Response] as an [Error]. A transport returns an error of its own only where no
// answer came, [ErrNoUpgrade] where a WebSocket did not open, and [ErrLockLost] is a lock's.
//
// # Concurrency
//
// All ports are safe for concurrent use. Callbacks of a [Page] must not block; callbacks of a [Transport] may.
package port
