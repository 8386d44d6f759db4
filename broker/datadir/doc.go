//go:build !js

// Package datadir makes and maintains the files of a broker's data directory.
//
// # Usage
//
// [Make] makes the directory, and [Lock] takes its lock. [Replace] writes a file.
//
// To restore a backup, the caller holds the lock, copies the backup with
// [CopyForRestore] and [CopyMissing], and puts the copy in place with [UseCopy].
// [Recover] finishes a restore that a crash interrupted: every process must call it
// before it reads the directory.
//
// A [Witness] tells a data directory from a copy of it.
//
// # Guarantees
//
//   - A file that root makes belongs to the owner of its directory. So root and the
//     service's own user can both use the directory.
//   - After a crash, [Replace] has left either the complete old file or the complete
//     new one.
//   - No function needs hard links, because some file systems lack them.
//
// # Concurrency
//
// All functions are safe for concurrent use, also by several processes. Some require
// that the caller holds the lock of the data directory, as their comments state.
//
// # Errors
//
// Errors are meant for the operator (see [Explain]). They name the file, and the file
// system or the owner when one of them is the reason.
package datadir
