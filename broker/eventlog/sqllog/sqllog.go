// Package sqllog keeps the event log in an SQLite database that only this process
// writes to. At the edge the database is the storage of a Durable Object.
//
// The package relies on one property of the database: all statements of one
// method call become durable together, before another program learns that the
// call has succeeded. The storage of a Durable Object works so by itself.
package sqllog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/event"
)

// A DB runs SQL statements. Arguments and results are int64, string, []byte or
// nil, and integers are below 2^53. Exec may be called concurrently.
type DB interface {
	// Exec runs one statement with at most MaxParameters arguments. The error
	// wraps eventlog.ErrFull when there is no room.
	Exec(query string, args ...any) (rows [][]any, err error)
}

// MaxParameters is the largest number of arguments of a statement in a Durable
// Object.
const MaxParameters = 100

// Log is an eventlog.Log in a database.
type Log struct {
	db     DB
	epoch  string
	window time.Duration // for deduplication

	mu           sync.Mutex // guards all below, and keeps the statements of a method together
	last         uint64     // number of the newest record
	purged       uint64     // number of the last purged record
	newestStored int64      // time of the newest record, so that times of records do not decrease
	health       error
	grown        chan struct{} // Append closes and replaces it
	closed       bool
}

var _ eventlog.Log = (*Log)(nil)

// schema holds the statements that make the tables. Times are microseconds since
// 1970.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS log (name TEXT PRIMARY KEY, value) WITHOUT ROWID`,
	`CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, ` +
		`stored INTEGER NOT NULL, body BLOB NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS events_by_type ON events (type, seq)`,
	`CREATE INDEX IF NOT EXISTS events_by_subject ON events (subject, seq)`,
	`CREATE TABLE IF NOT EXISTS ids (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL, ` +
		`stored INTEGER NOT NULL) WITHOUT ROWID`,
	// The index has seq too, because many records may be stored at the same time.
	`CREATE INDEX IF NOT EXISTS ids_by_place ON ids (stored, seq)`,
	`DROP INDEX IF EXISTS ids_by_time`,
	`CREATE TABLE IF NOT EXISTS store (key TEXT, part INTEGER, expires INTEGER, value BLOB NOT NULL, ` +
		`PRIMARY KEY (key, part)) WITHOUT ROWID`,
}

// Open opens the log of a database with a deduplication window. It makes a new
// log when there is none.
func Open(db DB, window time.Duration) (*Log, error) {
	l := &Log{db: db, window: window, grown: make(chan struct{})}
	for _, statement := range schema {
		if _, err := db.Exec(statement); err != nil {
			return nil, unavailable(err)
		}
	}
	_, err := db.Exec(`INSERT OR IGNORE INTO log VALUES ('epoch', ?), ('purged', 0)`, strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, unavailable(err)
	}
	rows, err := db.Exec(`SELECT (SELECT value FROM log WHERE name = 'epoch'),
		(SELECT value FROM log WHERE name = 'purged'),
		ifnull(max(seq), 0), ifnull(max(stored), 0) FROM events`)
	if err != nil {
		return nil, unavailable(err)
	}
	l.epoch, l.purged, l.newestStored = rows[0][0].(string), uint64(rows[0][1].(int64)), rows[0][3].(int64)
	l.last = max(l.purged, uint64(rows[0][2].(int64)))
	return l, nil
}

// maxStepBack is the largest backward step of the clock that Append hides. After
// a smaller step it stores the next records with the time of the newest record.
// After a larger step their times are earlier than it, because otherwise, after
// a clock that was years ahead, no record would become old for years.
const maxStepBack = 5 * time.Minute

// unavailable wraps an error of the database in eventlog.ErrUnavailable. It
// returns nil and errors that wrap eventlog.ErrFull as they are.
func unavailable(err error) error {
	if err == nil || errors.Is(err, eventlog.ErrFull) {
		return err
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// Epoch implements eventlog.Log.
func (l *Log) Epoch() string { return l.epoch }

// Ancestors implements eventlog.Log. It returns nil, because the log is never
// restored under another epoch.
func (l *Log) Ancestors() []eventlog.Ancestor { return nil }

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	return eventlog.SingleAck(l.AppendBatch(ctx, []eventlog.Entry{e}))
}

// AppendBatch implements eventlog.Log.
func (l *Log) AppendBatch(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("%w: closed", eventlog.ErrUnavailable)
	}
	now := time.Now().UnixMicro()
	if l.newestStored-now < maxStepBack.Microseconds() {
		now = max(now, l.newestStored)
	}
	b, err := eventlog.NewBatch(entries, func(e eventlog.Entry) (uint64, error) { return l.findLocked(e, now) })
	if err != nil {
		return nil, err
	}
	first := l.last + 1
	if len(b.New) == 0 {
		return b.Acks(first), nil
	}
	for n, i := range b.New {
		if err = l.insertLocked(entries[i], first+uint64(n), now); err != nil {
			err = errors.Join(err, l.undoLocked(first, now))
			break
		}
	}
	if l.health = unavailable(err); err != nil {
		return nil, l.health
	}
	l.last, l.newestStored = l.last+uint64(len(b.New)), now
	close(l.grown)
	l.grown = make(chan struct{})
	return b.Acks(first), nil
}

// findLocked returns the number of the record that has the entry's key, or 0.
// The error is eventlog.ErrConflict when the record has another digest. The
// caller must hold l.mu.
func (l *Log) findLocked(e eventlog.Entry, now int64) (seq uint64, err error) {
	rows, err := l.db.Exec(`SELECT seq, digest FROM ids WHERE key = ? AND stored > ?`,
		e.Key, now-l.window.Microseconds())
	if err != nil {
		return 0, unavailable(err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	seq = uint64(rows[0][0].(int64))
	if rows[0][1] != e.Digest && seq > l.purged {
		return 0, eventlog.ErrConflict
	}
	return seq, nil
}

// insertLocked inserts an event and its id. The event comes first. If only the
// event is kept, a repetition stores it again. If only the id were kept, a
// repetition would be acknowledged although nothing is stored. The caller must
// hold l.mu.
func (l *Log) insertLocked(e eventlog.Entry, seq uint64, now int64) error {
	_, err := l.db.Exec(`INSERT INTO events VALUES (?, ?, ?, ?, ?)`, int64(seq), string(e.Type), e.Subject, now, e.Body)
	if err != nil {
		return err
	}
	_, err = l.db.Exec(`INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)`, e.Key, int64(seq), e.Digest, now)
	return err
}

// undoLocked removes the events from a number on that were inserted with a time,
// and their ids. The ids come first, for the same reason as in insertLocked. The
// caller must hold l.mu.
func (l *Log) undoLocked(from uint64, stored int64) error {
	_, err := l.db.Exec(`DELETE FROM ids WHERE stored = ? AND seq >= ?`, stored, int64(from))
	if err == nil {
		_, err = l.db.Exec(`DELETE FROM events WHERE seq >= ?`, int64(from))
	}
	return err
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, after uint64, limit int, s eventlog.Selection) (eventlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < l.purged {
		return eventlog.Page{}, eventlog.ErrGone
	}
	page := eventlog.Page{Through: max(after, l.last)}
	where, args, complete := whereClause(s)
	batch := limit
	if !complete {
		batch = max(limit, scanBatch)
	}
	for at := after; ; {
		queryArgs := append(append([]any{int64(at)}, args...), int64(batch))
		rows, err := l.db.Exec(`SELECT events.seq, type, subject, events.stored, body, key, digest
			FROM events LEFT JOIN ids ON ids.stored = events.stored AND ids.seq = events.seq
			WHERE events.seq > ?`+where+` ORDER BY events.seq LIMIT ?`, queryArgs...)
		if err != nil {
			return eventlog.Page{}, unavailable(err)
		}
		for _, row := range rows {
			r := recordOf(row)
			if at = r.Seq; !s.Match(r) {
				continue // the statement applies only a part of the selection
			}
			if page.Records = append(page.Records, r); len(page.Records) == limit {
				page.Through = r.Seq
				return page, ctx.Err()
			}
		}
		if len(rows) < batch {
			return page, ctx.Err()
		}
	}
}

// recordOf returns the record that a row of Read holds.
func recordOf(row []any) eventlog.Record {
	r := eventlog.Record{
		Seq:     uint64(row[0].(int64)),
		Type:    event.Type(row[1].(string)),
		Subject: row[2].(string),
		Stored:  time.UnixMicro(row[3].(int64)),
		Body:    row[4].([]byte),
	}
	if row[5] != nil { // nil after Purge has removed an expired id
		r.Key, r.Digest = row[5].(string), row[6].(string)
	}
	return r
}

// scanBatch is the least number of records that Read reads at once when a
// statement cannot apply the whole selection.
const scanBatch = 256

// whereClause returns conditions and arguments that apply a selection. complete
// is false when they apply only a part of it, because a statement cannot have
// enough arguments.
func whereClause(s eventlog.Selection) (where string, args []any, complete bool) {
	if len(s.Types) > 0 {
		where = ` AND type IN (?` + strings.Repeat(`, ?`, len(s.Types)-1) + `)`
		for _, t := range s.Types {
			args = append(args, string(t))
		}
	}
	var alternatives []string
	var subjects []any
	for _, pattern := range s.Subjects {
		if kind, isPattern := strings.CutSuffix(pattern, "/*"); isPattern {
			alternatives = append(alternatives, `subject >= ? AND subject < ?`)
			subjects = append(subjects, kind+"/", kind+"0") // the character after the slash is 0
		} else {
			alternatives = append(alternatives, `subject = ?`)
			subjects = append(subjects, pattern)
		}
	}
	if len(alternatives) == 0 {
		return where, args, true
	}
	if len(args)+len(subjects)+2 > MaxParameters { // 2 for the place and the limit
		return where, args, false
	}
	return where + ` AND (` + strings.Join(alternatives, ` OR `) + `)`, append(args, subjects...), true
}

// Tail implements eventlog.Log.
func (l *Log) Tail(ctx context.Context, after uint64, handle func(eventlog.Record)) error {
	return eventlog.TailByReading(ctx, l.Read, after, l.growth, handle)
}

// growth returns a channel that is closed when the log gets another record.
func (l *Log) growth() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// Bounds implements eventlog.Log.
func (l *Log) Bounds(context.Context) (eventlog.Bounds, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return eventlog.Bounds{First: l.purged + 1, Last: l.last}, nil
}

// Health implements eventlog.Log.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("%w: closed", eventlog.ErrUnavailable)
	}
	return l.health
}

// Purge implements eventlog.Log. It also removes expired ids and values.
func (l *Log) Purge(_ context.Context, through uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UnixMicro()
	_, err := l.db.Exec(`DELETE FROM ids WHERE stored <= ?`, now-l.window.Microseconds())
	if err == nil {
		_, err = l.db.Exec(`DELETE FROM store WHERE expires <= ?`, now)
	}
	if through = min(through, l.last); err == nil && through > l.purged {
		// The number is updated before the records are deleted. If the deletion
		// fails, the records count as purged already.
		if _, err = l.db.Exec(`UPDATE log SET value = ? WHERE name = 'purged'`, int64(through)); err == nil {
			l.purged = through
			_, err = l.db.Exec(`DELETE FROM events WHERE seq <= ?`, int64(through))
		}
	}
	return unavailable(err)
}

// Close implements eventlog.Log. The caller may still read from a closed log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
