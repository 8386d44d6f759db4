// Package eventlog defines the contract of the durable event log. The rest of
// the broker relies on this contract, and packages jetlog, memlog and sqllog
// implement it. Package logtest checks the contract with a test suite that
// every implementation passes.
//
// # Guarantees
//
//   - Records are numbered 1, 2, 3 … in the order in which they were stored,
//     without holes. The number of a record, also called its sequence, never
//     changes.
//   - An entry survives a crash once [Log.Append] or [Log.AppendBatch] has
//     returned, and no reader gets it before. In memlog it lives as long as the
//     process.
//   - A batch is stored as a whole or not at all. The one exception is jetlog,
//     whose doc comment names the cases.
//   - An entry with the same key is stored once within the deduplication window
//     of the log. A caller may safely append it again after [ErrUnavailable].
//   - A log has one epoch for its whole life. A log that lost records gets
//     another epoch, so that readers notice.
//
// # Usage
//
// Append entries with [Log.Append] or [Log.AppendBatch]. Follow the log with [Log.Tail], or read pages
// with [Log.Read]. [ReadBefore] searches backwards, and [SeqBefore] by time.
//
// A place in the log is the number of a record. Methods with the parameter after
// begin with the record that follows this place. 0 is the place before the first
// record. A cursor of package wire is a place with the epoch of the log.
package eventlog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
)

// Errors of a Log. Every other error of a method wraps ErrUnavailable or is that
// of the context.
var (
	// ErrConflict means that the entry's key is stored with another digest.
	ErrConflict = errors.New("eventlog: the id is taken by another event")
	// ErrGone means that the log no longer keeps the records after a place.
	ErrGone = errors.New("eventlog: no longer kept")
	// ErrNotFound means that the store has no value under the key.
	ErrNotFound = errors.New("eventlog: not found")
	// ErrExists means that the store has a value under the key already.
	ErrExists = errors.New("eventlog: exists")
	// ErrUnavailable means that the log cannot do the request now. The log may
	// or may not have done it. The caller may safely repeat it with the same
	// key.
	ErrUnavailable = errors.New("eventlog: not available")
	// ErrFull means that there is no room. Nothing was stored.
	ErrFull = errors.New("eventlog: no room")
)

// An Entry is an event for Append.
type Entry struct {
	// Type is the type of the event.
	Type event.Type
	// Subject is the entity that the event is about, such as rental/123.
	Subject string
	// Key identifies the entry for deduplication. The log does not interpret
	// it. It has at most 128 bytes.
	Key string
	// Digest is a digest of the content. Another entry with the same key and
	// another digest is a conflict.
	Digest string
	// Body is the event. The log does not interpret it. The caller must not
	// change it after Append.
	Body []byte
	// Value is passed on to readers that get the record from memory; see Record.
	// It is not stored. nil is a valid value.
	Value any
}

// A Record is an event in the log.
type Record struct {
	// Seq is the number of the record: 1, 2, 3 … without holes.
	Seq uint64
	// Type and Subject are those of the entry.
	Type    event.Type
	Subject string
	// Stored is the time when the log stored the record.
	Stored time.Time
	// Body is that of the entry. The caller must not change it.
	Body []byte
	// Key and Digest are those of the entry. They may be empty after the
	// deduplication window, and in records that another program stored.
	Key, Digest string
	// Value is that of the entry when Tail passes on a record that this process
	// has just stored and the log has kept it in memory. It is nil otherwise.
	Value any
}

// An Ack is the log's answer to an entry that is stored.
type Ack struct {
	// Seq is the number of the record.
	Seq uint64
	// Duplicate is true when the entry was stored before, under the same key.
	Duplicate bool
}

// Bounds are the numbers of the oldest and the newest kept record. In a log
// without records First is Last+1. Last never decreases.
type Bounds struct {
	First, Last uint64
}

// An Ancestor is an earlier epoch of a log.
type Ancestor struct {
	// Epoch names the earlier epoch.
	Epoch string `json:"epoch"`
	// Through is the last record of the earlier epoch that the log still has.
	Through uint64 `json:"through"`
}

// Holds reports whether a place of an epoch is also a place of the log. If it
// is, data that was computed from all records up to that place is also right
// for the log.
func Holds(log Log, epoch string, seq uint64) bool {
	if epoch == log.Epoch() {
		return true
	}
	for _, a := range log.Ancestors() {
		if a.Epoch == epoch {
			return seq <= a.Through
		}
	}
	return false
}

// A Selection selects records. The zero value selects all records.
type Selection struct {
	// Types selects records of any of the types. Empty selects all types.
	Types []event.Type
	// Subjects selects records of any of the subjects. A subject may be a
	// pattern such as rental/*. Empty selects all subjects.
	Subjects []string
}

// Match reports whether the selection selects a record.
func (s Selection) Match(r Record) bool {
	if len(s.Types) > 0 && !slices.Contains(s.Types, r.Type) {
		return false
	}
	matches := func(pattern string) bool { return filter.MatchSubject(pattern, r.Subject) }
	return len(s.Subjects) == 0 || slices.ContainsFunc(s.Subjects, matches)
}

// A Page is a part of a log.
type Page struct {
	// Records are the selected records after the place of the request, up to
	// and including Through, oldest first.
	Records []Record
	// Through is the place to read the next page from.
	Through uint64
}

// A Log is a durable sequence of events with a small store beside it. All
// methods may be called concurrently.
type Log interface {
	// Epoch returns the name of the log. It is the same for the whole life of
	// the log. Another log has another epoch, and so has a log that was emptied
	// or restored from a backup.
	Epoch() string

	// Ancestors returns the earlier epochs of a restored log, newest first. It
	// is for data that the broker itself has stored with the log; see [Holds].
	// It is not for readers, because a reader with a place in an ancestor may
	// have seen records that this log lacks.
	Ancestors() []Ancestor

	// Append stores an entry, and returns when the entry will survive a crash.
	// An entry with the same key is stored once within the deduplication
	// window.
	Append(ctx context.Context, e Entry) (Ack, error)

	// AppendBatch stores several entries in their order, and returns an ack for
	// each when all will survive a crash. An entry is a duplicate when its key is
	// stored, or when an earlier entry of the batch has it. When an entry
	// conflicts, the error is a *ConflictError.
	//
	// A log stores all entries of a batch or none, if it can. A log that has
	// stored only the first entries returns their acks with the error. The
	// caller may then safely append the whole batch again.
	AppendBatch(ctx context.Context, entries []Entry) ([]Ack, error)

	// Read returns at most limit selected records after a place, oldest first.
	// It never waits for new records. The error is ErrGone when the record
	// after the place was purged.
	Read(ctx context.Context, after uint64, limit int, s Selection) (Page, error)

	// Tail calls handle for every record after a place, in order and one at a
	// time. It waits for new records, and returns nil when ctx ends. The error
	// is ErrGone when records after the place are missing.
	Tail(ctx context.Context, after uint64, handle func(Record)) error

	// Bounds returns the numbers of the oldest and the newest kept record.
	Bounds(ctx context.Context) (Bounds, error)

	// Health returns nil while Append can be expected to work. Otherwise the
	// error is or wraps ErrFull or ErrUnavailable. Health never waits: it
	// reports what the log has noticed before.
	Health() error

	// Purge removes the records up to and including through. When through is
	// after the newest record, Purge removes all records, and the next record
	// still gets the next number.
	Purge(ctx context.Context, through uint64) error

	Store

	// Close stops the log. Calls that are running may fail.
	Close() error
}

// A Store keeps small values with the log, such as checkpoints and sessions. A
// key consists of letters, digits and the characters ._-=
type Store interface {
	// Put stores a value durably, and replaces an earlier value of the key. The
	// value expires after ttl. 0 means that it never expires.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Create is like Put, but returns ErrExists when the key has a value. Of
	// several callers at the same time, on any broker of the log, one succeeds.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Keys returns the keys that begin with a prefix, in no certain order. The
	// prefix must end with a dot.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Get returns a value. The error is ErrNotFound when there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete removes a value. It returns nil when there is none.
	Delete(ctx context.Context, key string) error
}
