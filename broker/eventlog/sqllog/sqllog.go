// Package sqllog keeps the log in an SQLite database that this process alone
// writes to: the storage of a Durable Object at the edge.
//
// The database makes the statements of one call atomic and durable before
// anybody hears of the call; a Durable Object's storage does so by itself.
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

// A DB runs statements. Values are int64, string, []byte or nil, both ways;
// integers are below 2^53. It may be called concurrently.
type DB interface {
	// Exec runs one statement with at most MaxParameters arguments. An error
	// wraps ErrFull where there is no room.
	Exec(query string, args ...any) (rows [][]any, err error)
}

// MaxParameters is how many arguments a statement may have in a Durable Object.
const MaxParameters = 100

// Log is an eventlog.Log in a database.
type Log struct {
	db     DB
	epoch  string
	window time.Duration

	mu     sync.Mutex // guards all below, and what must not come between two statements
	last   uint64     // sequence of the newest record
	purged uint64     // all through this are forgotten
	newest int64      // when the newest record was stored, so that times never go back
	health error
	grown  chan struct{} // closed when a record comes
	closed bool
}

var _ eventlog.Log = (*Log)(nil)

// Times are microseconds since 1970.
var tables = []string{
	`CREATE TABLE IF NOT EXISTS log (name TEXT PRIMARY KEY, value) WITHOUT ROWID`,
	`CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, stored INTEGER NOT NULL, body BLOB NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS events_by_type ON events (type, seq)`,
	`CREATE INDEX IF NOT EXISTS events_by_subject ON events (subject, seq)`,
	`CREATE TABLE IF NOT EXISTS ids (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, digest TEXT NOT NULL, stored INTEGER NOT NULL) WITHOUT ROWID`,
	`CREATE INDEX IF NOT EXISTS ids_by_place ON ids (stored, seq)`, // many may be stored at once
	`DROP INDEX IF EXISTS ids_by_time`,
	`CREATE TABLE IF NOT EXISTS store (key TEXT, part INTEGER, expires INTEGER, value BLOB NOT NULL, PRIMARY KEY (key, part)) WITHOUT ROWID`,
}

// Open opens the log of a database, and makes one where there is none. It
// deduplicates within the window.
func Open(db DB, window time.Duration) (*Log, error) {
	l := &Log{db: db, window: window, grown: make(chan struct{})}
	for _, table := range tables {
		if _, err := db.Exec(table); err != nil {
			return nil, unavailable(err)
		}
	}
	_, err := db.Exec(`INSERT OR IGNORE INTO log VALUES ('epoch', ?), ('purged', 0)`, strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, unavailable(err)
	}
	rows, err := db.Exec(`SELECT (SELECT value FROM log WHERE name = 'epoch'), (SELECT value FROM log WHERE name = 'purged'),
		ifnull(max(seq), 0), ifnull(max(stored), 0) FROM events`)
	if err != nil {
		return nil, unavailable(err)
	}
	l.epoch, l.purged, l.newest = rows[0][0].(string), uint64(rows[0][1].(int64)), rows[0][3].(int64)
	l.last = max(l.purged, uint64(rows[0][2].(int64)))
	return l, nil
}

// maxStepBack is how far the clock may step back before records are stored with
// earlier times than those before them: else, after a clock that was wrong by
// years, nothing would grow old for years.
const maxStepBack = 5 * time.Minute

// unavailable is what an error of the database means to a caller.
func unavailable(err error) error {
	if err == nil || errors.Is(err, eventlog.ErrFull) {
		return err
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// Epoch implements eventlog.Log.
func (l *Log) Epoch() string { return l.epoch }

// Ancestors implements eventlog.Log: the log is never restored under another
// epoch.
func (l *Log) Ancestors() []eventlog.Ancestor { return nil }

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, e eventlog.Entry) (eventlog.Ack, error) {
	if err := ctx.Err(); err != nil {
		return eventlog.Ack{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return eventlog.Ack{}, fmt.Errorf("%w: closed", eventlog.ErrUnavailable)
	}
	now := time.Now().UnixMicro()
	if l.newest-now < maxStepBack.Microseconds() {
		now = max(now, l.newest)
	}
	before, err := l.db.Exec(`SELECT seq, digest FROM ids WHERE key = ? AND stored > ?`, e.Key, now-l.window.Microseconds())
	if err != nil {
		return eventlog.Ack{}, unavailable(err)
	}
	if len(before) > 0 {
		seq := uint64(before[0][0].(int64))
		if before[0][1] != e.Digest && seq > l.purged {
			return eventlog.Ack{}, eventlog.ErrConflict
		}
		return eventlog.Ack{Seq: seq, Duplicate: true}, nil
	}
	seq := l.last + 1
	// Should only the first of the two be kept, a repetition finds it missing
	// in ids, and stores it again: never the other way round, an
	// acknowledgement of nothing.
	_, err = l.db.Exec(`INSERT INTO events VALUES (?, ?, ?, ?, ?)`, int64(seq), string(e.Type), e.Subject, now, e.Body)
	if err == nil {
		_, err = l.db.Exec(`INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)`, e.Key, int64(seq), e.Digest, now)
		if err != nil {
			_, undone := l.db.Exec(`DELETE FROM events WHERE seq = ?`, int64(seq))
			err = errors.Join(err, undone)
		}
	}
	if l.health = unavailable(err); err != nil {
		return eventlog.Ack{}, l.health
	}
	l.last, l.newest = seq, now
	close(l.grown)
	l.grown = make(chan struct{})
	return eventlog.Ack{Seq: seq}, nil
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, after uint64, limit int, s eventlog.Selection) (eventlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < l.purged {
		return eventlog.Page{}, eventlog.ErrGone
	}
	page := eventlog.Page{Through: max(after, l.last)}
	where, args, whole := condition(s)
	batch := limit
	if !whole {
		batch = max(limit, scanBatch)
	}
	for at := after; ; {
		query := append(append([]any{int64(at)}, args...), int64(batch))
		rows, err := l.db.Exec(`SELECT events.seq, type, subject, events.stored, body, key, digest
			FROM events LEFT JOIN ids ON ids.stored = events.stored AND ids.seq = events.seq
			WHERE events.seq > ?`+where+` ORDER BY events.seq LIMIT ?`, query...)
		if err != nil {
			return eventlog.Page{}, unavailable(err)
		}
		for _, row := range rows {
			r := eventlog.Record{Seq: uint64(row[0].(int64)), Type: event.Type(row[1].(string)), Subject: row[2].(string),
				Stored: time.UnixMicro(row[3].(int64)), Body: row[4].([]byte)}
			if row[5] != nil { // it has not expired
				r.Key, r.Digest = row[5].(string), row[6].(string)
			}
			if at = r.Seq; !s.Match(r) {
				continue // the statement did not hold all of the selection
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

// scanBatch is how many records are looked through at once where a statement
// cannot hold the selection.
const scanBatch = 256

// condition is what a statement can hold of a selection, and whether that is
// all of it.
func condition(s eventlog.Selection) (where string, args []any, whole bool) {
	if len(s.Types) > 0 {
		where = ` AND type IN (?` + strings.Repeat(`, ?`, len(s.Types)-1) + `)`
		for _, t := range s.Types {
			args = append(args, string(t))
		}
	}
	var either []string
	var subjects []any
	for _, pattern := range s.Subjects {
		if kind, all := strings.CutSuffix(pattern, "/*"); all {
			either, subjects = append(either, `subject >= ? AND subject < ?`), append(subjects, kind+"/", kind+"0") // 0 follows /
		} else {
			either, subjects = append(either, `subject = ?`), append(subjects, pattern)
		}
	}
	if len(either) == 0 {
		return where, args, true
	}
	if len(args)+len(subjects)+2 > MaxParameters { // 2: the place and the limit
		return where, args, false
	}
	return where + ` AND (` + strings.Join(either, ` OR `) + `)`, append(args, subjects...), true
}

// Tail implements eventlog.Log.
func (l *Log) Tail(ctx context.Context, after uint64, take func(eventlog.Record)) error {
	return eventlog.TailByReading(ctx, l, after, l.growth, take)
}

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

// Purge implements eventlog.Log. It forgets what has expired of ids and store
// too.
func (l *Log) Purge(_ context.Context, through uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UnixMicro()
	_, err := l.db.Exec(`DELETE FROM ids WHERE stored <= ?`, now-l.window.Microseconds())
	if err == nil {
		_, err = l.db.Exec(`DELETE FROM store WHERE expires <= ?`, now)
	}
	if through = min(through, l.last); err == nil && through > l.purged {
		// The mark comes first: what is deleted behind it is never missed.
		if _, err = l.db.Exec(`UPDATE log SET value = ? WHERE name = 'purged'`, int64(through)); err == nil {
			l.purged = through
			_, err = l.db.Exec(`DELETE FROM events WHERE seq <= ?`, int64(through))
		}
	}
	return unavailable(err)
}

// Close implements eventlog.Log. What was stored can still be read.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
