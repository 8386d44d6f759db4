//go:build !js

// Package datadir makes and looks after the files of a broker's data directory.
//
// # Guarantees
//
//   - A file that root makes belongs to the owner of its directory, so that
//     root and the service's own user may take turns.
//   - [Replace] leaves the old file or the new one, whole, also after a crash.
//   - No function needs hard links.
//   - An error names the file, and the file system or the owner where one of
//     them is the reason.
//
// # Concurrency
//
// All functions may be called concurrently, also by several processes.
package datadir
