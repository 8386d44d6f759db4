// Package port has the interfaces through which a client reaches the program around it. Implement them to run the
// client in an environment of your own.
//
//   - [Transport] carries requests to a broker. Packages browser and native have one each; package transporttest tests
//     any Transport.
//   - [Page] is a page of a browser with its ways to the other tabs. Package browser has one; package porttest
//     tests any Page.
//   - [Storage] keeps small values over reloads. Package browser has one over IndexedDB, and [Memory] forgets; package
//     porttest tests any Storage.
//
// Package fake has all three in memory, for tests.
//
// # Errors
//
// [ErrorOf] reads a refusal from a [Response] as an [Error]. A transport returns an error of its own only if no
// answer came, and [ErrNoUpgrade] or an [Error] if a WebSocket did not open. [Page.Lock] returns [ErrLockLost].
//
// # Concurrency
//
// All ports are safe for concurrent use. Callbacks of a [Page] must not block; callbacks of a [Transport] may.
package port
