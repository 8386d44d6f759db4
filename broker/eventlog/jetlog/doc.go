// Package jetlog keeps the event log in NATS JetStream. By default it embeds the
// NATS server in the process. With a URL it uses an external server or cluster.
//
// # Usage
//
// [Open] opens the log and returns a [Log], which implements [eventlog.Log]. When
// [Log.EpochChanged] is closed, the caller must close the log and open it again.
//
// # Guarantees
//
// The package keeps the contract of package eventlog, and in addition:
//
//   - An embedded server listens on no socket. It syncs records to the disk
//     before it acknowledges them, and readers get them after that.
//   - All calls of Append and AppendBatch that wait at the same time share one
//     flush. A call that waits alone is sent at once.
//   - A batch is stored as a whole or not at all, with three exceptions: the
//     server is older than 2.12, another broker has just stored one of the ids, or
//     the batch has more than 1,000 entries.
//   - A damaged log is an error. Open never replaces it by a new one.
//   - A log that went back to an earlier state, for example because a backup was
//     restored, gets a new epoch. So does a copy of a data directory.
//   - Append stores nothing while the disk of an embedded log has less than
//     32 MiB of room.
//
// # Storage
//
// The stream is the log. The number of a message is the number of the record,
// and the stream's metadata hold the first epoch. The subject of a message is
// ev.<type>.<kind>.<id>, so that a read by type or by subject is a filtered read
// of the server. The store is a key-value bucket of the same server. It also
// holds the epoch record: the present epoch, earlier epochs, and a number that
// the log has reached.
//
// A broker with an external log keeps notes about it in a file of the data
// directory, because the store may go back to an earlier state together with the
// stream. An embedded log has a witness instead: a file of the data directory
// that the epoch record names. A copy of the directory does not have the same
// file.
//
// # Groups
//
// JetStream syncs each message by itself, but the messages of an atomic batch
// together. Therefore the calls that wait become one batch, unless only one waits,
// because a batch of one takes ten times as long as an ordinary message. A server
// refuses a whole batch when it has stored one of the ids before, and it cannot be
// asked by id. So the log remembers the newest ids, 262,144 at most, and answers
// repetitions and conflicts itself. When the server refuses a batch nevertheless,
// the log sends its messages one by one.
//
// # Concurrency
//
// All methods of Log may be called concurrently. While a call of Append or
// AppendBatch waits, one goroutine stores groups of them, one after the other. It
// owns nothing: groupWriter.mu guards the queue, and ids.mu the ids. ids.mu may be
// locked while Log.mu is held. Another goroutine, the keeper,
// watches the log until Close: it checks the disk and the embedded server every
// second, updates the epoch record every ten seconds, and notices a new epoch.
// Log.mu guards the link to the server, the known bounds, the newest records, the
// health, and the time since which appends fail. Log.kept belongs to the keeper alone while it runs.
package jetlog
