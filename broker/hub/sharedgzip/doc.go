// Package sharedgzip builds gzip streams for many readers who receive the same frames, and compresses each frame once
// for all of them. It knows nothing of HTTP, views or subscribers.
//
// # Usage
//
// A stream is [AppendHeader], then any number of pieces, then [AppendTrailer]. A piece is one or more blocks of raw
// DEFLATE that end at a byte boundary, so the caller may join pieces of different origin. A client can decode
// all frames of a piece as soon as it has the piece. There are two kinds:
//
//   - [Window.Append] compresses frames that many readers share. The piece refers to earlier frames of the same
//     Window, and is therefore small. A piece that begins with a fresh start refers to nothing before.
//   - [Pool.AppendStandAlone] compresses frames for one reader. The piece refers to nothing before.
//
// # The rule of the fresh start
//
// A reader may take a piece of a Window if it is a fresh start, or if the piece that the reader took last is the
// Window's piece before. After any other piece (a stand-alone piece, or one of another Window) the reader must wait
// for the next fresh start. Until then the caller gives it the Window's frames in stand-alone pieces. A
// reader that breaks the rule receives garbled frames, and only the checksum at the end shows it.
//
// # Checksums
//
// The end of a gzip stream has the CRC-32 and the length of all its frames. [Sum] has both. A Window keeps the Sum of
// all its frames. A connection keeps its own Sum and the Window's Sum at the moment when it joined; its Sum at the end
// follows from these two and from the Window's Sum at the moment when it left: own.Then(left.Since(joined)). So
// shared frames cost a connection nothing, and it holds 32 bytes.
//
// # Memory
//
// A connection holds no compressor. A Window holds one of the compressors of a [Pool], 0.85 MB, or, when the Pool has
// none left, the last 4 KB of its frames. A Pool limits the number of its compressors. A stand-alone piece needs 0.3
// MB while it is made, and a Pool makes no more than GOMAXPROCS of them at the same time.
//
// # Concurrency
//
// All methods of a Pool may be called concurrently. A Window is for one goroutine at a time. A Sum is a value.
package sharedgzip
