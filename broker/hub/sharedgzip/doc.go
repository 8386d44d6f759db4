// Package sharedgzip builds gzip streams for many readers who receive the same frames, and compresses each frame once
// for all of them. It knows nothing of HTTP, views or subscribers.
//
// # Usage
//
// Make one [Pool] for the process, a [Log] for each byte log that readers share, and a [Reader] for each connection.
// The caller sends [AppendHeader], then the pieces of [Reader.Shared] for the frames of the byte log and of
// [Reader.AppendOwn] for frames that only this connection receives, then [Reader.AppendTrailer]. It must call
// [Reader.Close] however the connection ends.
//
// A piece is one or more blocks of raw DEFLATE that end at a byte boundary. A client can decode all frames of a piece
// as soon as it has the piece.
//
// # The rule of the fresh start
//
// Log and Reader are built of the following parts, which may be used alone. There are two kinds of pieces:
//
//   - [Window.Append] compresses frames that many readers share. The piece refers to earlier frames of the same
//     Window, and is therefore small. A piece that begins with a fresh start refers to nothing before.
//   - [Pool.AppendStandAlone] compresses frames for one reader. The piece refers to nothing before.
//
// A reader may take a piece of a Window if it is a fresh start, or if the piece that the reader took last is the
// Window's piece before. After any other piece (a stand-alone piece, or one of another Window) the reader must wait
// for the next fresh start. Until then it receives the Window's frames in stand-alone pieces. A reader that breaks the
// rule receives garbled frames, and only the checksum at the end shows it. Log and Reader keep the rule.
//
// # Checksums
//
// The end of a gzip stream has the CRC-32 and the length of all its frames. [Sum] has both. A Window keeps the Sum of
// all its frames. A connection keeps its own Sum and that of the Window when it joined. Its Sum at the end follows from
// these two and from that of the Window when it left: own.Then(left.Since(joined)). So shared frames cost a connection
// nothing.
//
// # Memory
//
// A connection holds no compressor, only a Reader of 80 bytes. A Window holds one of the compressors of a Pool, 0.85
// MB, or, when the Pool has none left, the last 4 KB of its frames. A Log holds a Window and some 100 KB of pieces. A
// Pool limits the number of its compressors. A stand-alone piece needs 0.3 MB while it is made, and a Pool makes no
// more than GOMAXPROCS of them at the same time, however many connections join at once. Only their pieces come on top.
//
// # Concurrency
//
// All methods of a Pool and of a Log may be called concurrently. A Window and a Reader are for one goroutine at a time.
// A Sum is a value.
package sharedgzip
