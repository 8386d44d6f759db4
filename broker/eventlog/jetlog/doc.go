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
//   - An embedded server listens on no socket. It syncs every record to the disk
//     before it acknowledges the record.
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
// # Concurrency
//
// All methods of Log may be called concurrently. One goroutine, the keeper,
// watches the log until Close: it checks the disk and the embedded server every
// second, updates the epoch record every ten seconds, and notices a new epoch.
// Log.mu guards the link to the server, the known head, the health, and the time
// since which appends fail. Log.kept belongs to the keeper alone while it runs.
package jetlog
