package sqllog

import (
	"context"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// partBytes is the largest part of a value in one row. A row of a Durable Object
// has at most 2 MB.
const partBytes = 1 << 20

// Put implements eventlog.Store.
func (l *Log) Put(_ context.Context, key string, b []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.putLocked(key, b, ttl)
}

// putLocked stores a value in one or more rows. The caller must hold l.mu.
func (l *Log) putLocked(key string, b []byte, ttl time.Duration) error {
	_, err := l.db.Exec(`DELETE FROM store WHERE key = ?`, key)
	if err != nil {
		return unavailable(err)
	}
	var expires any
	if ttl > 0 {
		expires = time.Now().Add(ttl).UnixMicro()
	}
	for part := 0; part == 0 || part*partBytes < len(b); part++ {
		piece := b[part*partBytes : min((part+1)*partBytes, len(b))]
		if _, err := l.db.Exec(`INSERT INTO store VALUES (?, ?, ?, ?)`, key, int64(part), expires, piece); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// Create implements eventlog.Store.
func (l *Log) Create(_ context.Context, key string, b []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, err := l.db.Exec(`SELECT 1 FROM store WHERE key = ? AND part = 0`+notExpired, key, time.Now().UnixMicro())
	if err != nil {
		return unavailable(err)
	}
	if len(rows) > 0 {
		return eventlog.ErrExists
	}
	return l.putLocked(key, b, ttl)
}

// notExpired is the condition for values that have not expired at the time of
// its argument.
const notExpired = ` AND (expires IS NULL OR expires > ?)`

// Keys implements eventlog.Store.
func (l *Log) Keys(_ context.Context, prefix string) (keys []string, err error) {
	// The prefix ends with a dot. The character after the dot is a slash.
	rows, err := l.db.Exec(`SELECT key FROM store WHERE key >= ? AND key < ? AND part = 0`+notExpired,
		prefix, prefix[:len(prefix)-1]+"/", time.Now().UnixMicro())
	if err != nil {
		return nil, unavailable(err)
	}
	for _, row := range rows {
		keys = append(keys, row[0].(string))
	}
	return keys, nil
}

// Get implements eventlog.Store.
func (l *Log) Get(_ context.Context, key string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, err := l.db.Exec(`SELECT value FROM store WHERE key = ?`+notExpired+` ORDER BY part`,
		key, time.Now().UnixMicro())
	if err != nil {
		return nil, unavailable(err)
	}
	if len(rows) == 0 {
		return nil, eventlog.ErrNotFound
	}
	value := []byte{}
	for _, row := range rows {
		value = append(value, row[0].([]byte)...)
	}
	return value, nil
}

// Delete implements eventlog.Store.
func (l *Log) Delete(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.db.Exec(`DELETE FROM store WHERE key = ?`, key)
	return unavailable(err)
}
