// Package memlog keeps the event log in memory. It is for tests, and for
// programs whose log may end with the process.
package memlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// Log is an eventlog.Log in memory.
type Log struct {
	epoch  string
	window time.Duration

	mu      sync.Mutex // guards all below
	records []eventlog.Record
	purged  uint64               // number of the last purged record; records[0] follows it
	keys    map[string]storedKey // for deduplication
	values  map[string]value     // of the store
	grown   chan struct{}        // Append closes and replaces it
	closed  bool
}

// A storedKey is an entry that was stored under a key.
type storedKey struct {
	seq    uint64
	digest string
	at     time.Time
}

// A value is a value of the store.
type value struct {
	bytes   []byte
	expires time.Time // the zero Time means never
}

var _ eventlog.Log = (*Log)(nil)

// New returns an empty log with an epoch and a deduplication window. A window of
// 0 disables deduplication.
func New(epoch string, window time.Duration) *Log {
	return &Log{
		epoch:  epoch,
		window: window,
		keys:   map[string]storedKey{},
		values: map[string]value{},
		grown:  make(chan struct{}),
	}
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
	now := time.Now()
	b, err := eventlog.NewBatch(entries, func(e eventlog.Entry) (uint64, error) {
		before, found := l.keys[e.Key]
		if !found || now.Sub(before.at) >= l.window {
			return 0, nil
		}
		if before.digest != e.Digest && before.seq > l.purged {
			return 0, eventlog.ErrConflict
		}
		return before.seq, nil
	})
	if err != nil {
		return nil, err
	}
	first := l.lastLocked() + 1
	for n, i := range b.New {
		e := entries[i]
		seq := first + uint64(n)
		l.records = append(l.records, eventlog.Record{
			Seq:     seq,
			Type:    e.Type,
			Subject: e.Subject,
			Stored:  now,
			Body:    e.Body,
			Key:     e.Key,
			Digest:  e.Digest,
		})
		l.keys[e.Key] = storedKey{seq, e.Digest, now}
	}
	if len(b.New) > 0 {
		close(l.grown)
		l.grown = make(chan struct{})
	}
	return b.Acks(first), nil
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, after uint64, limit int, s eventlog.Selection) (eventlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < l.purged {
		return eventlog.Page{}, eventlog.ErrGone
	}
	page := eventlog.Page{Through: max(after, l.lastLocked())}
	for _, r := range l.records[min(after-l.purged, uint64(len(l.records))):] {
		if !s.Match(r) {
			continue
		}
		if page.Records = append(page.Records, r); len(page.Records) == limit {
			page.Through = r.Seq
			break
		}
	}
	return page, ctx.Err()
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
	return eventlog.Bounds{First: l.purged + 1, Last: l.lastLocked()}, nil
}

// Health implements eventlog.Log.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("%w: closed", eventlog.ErrUnavailable)
	}
	return nil
}

// Purge implements eventlog.Log.
func (l *Log) Purge(_ context.Context, through uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	through = min(through, l.lastLocked())
	if through > l.purged {
		l.records = slices.Clone(l.records[through-l.purged:])
		l.purged = through
	}
	return nil
}

// Put implements eventlog.Store.
func (l *Log) Put(_ context.Context, key string, b []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.putLocked(key, b, ttl)
	return nil
}

// putLocked stores a value. The caller must hold l.mu.
func (l *Log) putLocked(key string, b []byte, ttl time.Duration) {
	v := value{bytes: slices.Clone(b)}
	if ttl > 0 {
		v.expires = time.Now().Add(ttl)
	}
	l.values[key] = v
}

// Create implements eventlog.Store.
func (l *Log) Create(_ context.Context, key string, b []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hasLocked(key) {
		return eventlog.ErrExists
	}
	l.putLocked(key, b, ttl)
	return nil
}

// Keys implements eventlog.Store.
func (l *Log) Keys(_ context.Context, prefix string) (keys []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.values {
		if strings.HasPrefix(key, prefix) && l.hasLocked(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// hasLocked reports whether a key has a value, and removes an expired value. The
// caller must hold l.mu.
func (l *Log) hasLocked(key string) bool {
	v, found := l.values[key]
	if found && !v.expires.IsZero() && !time.Now().Before(v.expires) {
		delete(l.values, key)
		return false
	}
	return found
}

// Get implements eventlog.Store.
func (l *Log) Get(_ context.Context, key string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hasLocked(key) {
		return nil, eventlog.ErrNotFound
	}
	return slices.Clone(l.values[key].bytes), nil
}

// Delete implements eventlog.Store.
func (l *Log) Delete(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.values, key)
	return nil
}

// Close implements eventlog.Log. The caller may still read from a closed log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// lastLocked returns the number of the newest record. The caller must hold l.mu.
func (l *Log) lastLocked() uint64 { return l.purged + uint64(len(l.records)) }
