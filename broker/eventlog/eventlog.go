// Package eventlog is the contract of the durable log: what the rest of the
// broker may rely on, whatever keeps the events. Package logtest holds the
// contract as a test suite, which every implementation passes.
package eventlog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
)

// Errors of a Log. Everything else that a method returns wraps Unavailable or
// is an error of the context.
var (
	// ErrConflict: the entry's key is stored with another digest.
	ErrConflict = errors.New("eventlog: the id is taken by another event")
	// ErrGone: records after the given place are no longer kept.
	ErrGone = errors.New("eventlog: no longer kept")
	// ErrNotFound: no value under that key.
	ErrNotFound = errors.New("eventlog: not found")
	// ErrExists: there is a value under that key.
	ErrExists = errors.New("eventlog: exists")
	// ErrUnavailable: the log cannot do it now; whether it was done is
	// unknown, and doing it again with the same key is safe.
	ErrUnavailable = errors.New("eventlog: not available")
	// ErrFull: there is no room; nothing was stored.
	ErrFull = errors.New("eventlog: no room")
)

// An Entry is an event on its way into the log.
type Entry struct {
	Type    event.Type
	Subject string // such as rental/123
	Key     string // what identifies the entry for deduplication; opaque, at most 128 bytes
	Digest  string // of the content: the same key with another digest is a conflict
	Body    []byte // opaque; must not be changed afterwards
}

// A Record is an event in the log.
type Record struct {
	Seq     uint64 // 1, 2, 3 … without holes
	Type    event.Type
	Subject string
	Stored  time.Time
	Body    []byte // must not be changed
	// Key and Digest are those of the entry. They may be empty once the
	// deduplication window has passed, and in what a foreign writer stored.
	Key, Digest string
}

// An Ack says where an entry is stored.
type Ack struct {
	Seq       uint64
	Duplicate bool // it was stored before, under the same key
}

// Bounds are the oldest and the newest record that are kept. In an empty log
// First is Last+1; Last never goes back.
type Bounds struct {
	First, Last uint64
}

// An Ancestor is an earlier epoch of a log. The log holds its records up to and
// including Through.
type Ancestor struct {
	Epoch   string `json:"epoch"`
	Through uint64 `json:"through"`
}

// Holds tells whether a place of an epoch is also a place of the log. Data that
// was derived from all records up to such a place is right for the log.
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

// A Selection narrows a read: any of the types, and any of the subjects.
// Empty parts select everything. A subject may be rental/* .
type Selection struct {
	Types    []event.Type
	Subjects []string
}

// Match tells whether a record is selected, for what keeps its records where
// the log's own filters do not reach.
func (s Selection) Match(r Record) bool {
	if len(s.Types) > 0 && !slices.Contains(s.Types, r.Type) {
		return false
	}
	matches := func(pattern string) bool { return filter.MatchSubject(pattern, r.Subject) }
	return len(s.Subjects) == 0 || slices.ContainsFunc(s.Subjects, matches)
}

// A Page is part of a log: every selected record after the asked place up to
// and including Through.
type Page struct {
	Records []Record
	Through uint64
}

// A Log is a durable sequence of events with a small store beside it. All
// methods may be called concurrently.
type Log interface {
	// Epoch names this log for its whole life. Another log, also an emptied
	// or restored one, has another name.
	Epoch() string

	// Ancestors returns earlier epochs of a log that was restored, newest
	// first. It is for what the broker itself has stored with the log; see
	// [Holds]. Readers with a place in an ancestor may have seen records that
	// this log lacks.
	Ancestors() []Ancestor

	// Append stores an entry and returns when it will survive a crash. The
	// same key within the deduplication window is stored once.
	Append(ctx context.Context, e Entry) (Ack, error)

	// Read returns at most limit selected records after a place, oldest
	// first. It never waits for new ones. ErrGone where the place is before
	// the oldest kept record.
	Read(ctx context.Context, after uint64, limit int, s Selection) (Page, error)

	// Tail calls take for every record after a place, in order and one at a
	// time, until ctx ends, and then returns nil. ErrGone where records after
	// the place are missing.
	Tail(ctx context.Context, after uint64, take func(Record)) error

	// Bounds returns what is kept.
	Bounds(ctx context.Context) (Bounds, error)

	// Health is nil while Append can be expected to work, else ErrFull or
	// ErrUnavailable. It answers at once, from what is known.
	Health() error

	// Purge forgets the records up to and including through. A place beyond
	// the newest record forgets all and no more.
	Purge(ctx context.Context, through uint64) error

	Store

	// Close stops the log; calls under way may fail.
	Close() error
}

// A Store keeps small values with the log: checkpoints, sessions. Keys are
// made of letters, digits and ._-=
type Store interface {
	// Put stores a value, durably, in place of an earlier one. With a ttl it
	// is forgotten after it; 0 keeps it.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Create stores a value where the key has none, and returns ErrExists where
	// it has: of several that try at once, on whatever broker, one succeeds.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Keys returns the keys that begin with a prefix, in no order. The prefix
	// ends with a dot.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Get returns a value, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete forgets a value; none is no error.
	Delete(ctx context.Context, key string) error
}
