// Package live connects the app to the client. [Live] is one object outside all components; it
// holds the session of the user and the user's client.
//
// # Usage
//
// [New] makes a Live, and [Live.Start] finds out which user is signed in and connects. Components
// call [Live.Subscribe] when they are mounted and leave when they are dismounted; after each change
// they read [Live.State].
//
// # Guarantees
//
//   - Components learn of changes in batches, so that a burst of events costs one render.
//   - No data of a user stays in memory, or on the screen, after another user has signed in or the
//     user has signed out. After a sign-out, none stays in the storage.
//   - A sign-out is repeated until the broker has answered it, after a reload too.
//   - If the broker does not answer, the app opens with the stored session of the last user.
//
// # Concurrency
//
// A Live is safe for concurrent use. Live.mu guards its fields; Live.replacing is held while one
// user's client is replaced by another's, and while data of a user is written to the storage. If
// a goroutine needs both, it locks replacing first.
package live
