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
// A Log compresses its frames in a window. A piece of the window refers to earlier frames of the window, and is
// therefore small. A piece that begins with a fresh start refers to nothing before, and neither does a stand-alone
// piece, which is made for one reader.
//
// A reader may take a piece of a window if it is a fresh start, or if the piece that the reader took last is the
// window's piece before. After any other piece (a stand-alone piece, or one of another window) the reader must wait
// for the next fresh start. Until then it receives the frames of the Log in stand-alone pieces. A reader that breaks
// the rule receives garbled frames, and only the checksum at the end shows it. Log and Reader keep the rule.
//
// # Checksums
//
// The end of a gzip stream has the CRC-32 and the length of all its frames. A window keeps the checksum of all its
// frames. A Reader keeps that of its other frames, and that of the window at the time when the Reader joined. The
// checksum at the end follows from these two and from that of the window when the Reader left:
// own.then(left.since(joined)). So shared frames cost a connection nothing.
//
// # Memory
//
// A connection holds no compressor, only a Reader of 80 bytes. A Log holds some 100 KB of pieces and, while a Reader
// takes part in it, one of the compressors of the Pool, 0.85 MB. When the Pool has none left, the Log holds the last
// 4 KB of its frames in its place. A stand-alone piece needs 0.3 MB while it is made, and a Pool makes no more than
// GOMAXPROCS of them at the same time, however many connections join at once. Only their pieces come on top.
//
// # Concurrency
//
// All methods of a Pool and of a Log may be called concurrently. A Reader is for one goroutine at a time.
package sharedgzip
