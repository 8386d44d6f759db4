package jetlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// Put implements eventlog.Store.
func (l *Log) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	bucket := l.now().bucket
	if ttl == 0 {
		_, err := bucket.Put(ctx, key, value)
		return unavailable(err)
	}
	// JetStream takes a time to live when a key is made, not when it changes.
	create := func() error {
		_, err := bucket.Create(ctx, key, value, jetstream.KeyTTL(max(ttl, time.Second)))
		return err
	}
	err := create()
	if errors.Is(err, jetstream.ErrKeyExists) {
		if err = bucket.Delete(ctx, key); err == nil {
			err = create()
		}
	}
	return unavailable(err)
}

// Get implements eventlog.Store.
func (l *Log) Get(ctx context.Context, key string) ([]byte, error) {
	entry, err := l.now().bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, eventlog.ErrNotFound
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return entry.Value(), nil
}

// Delete implements eventlog.Store.
func (l *Log) Delete(ctx context.Context, key string) error {
	return unavailable(l.now().bucket.Purge(ctx, key))
}
