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
	bucket := l.connected(ctx).bucket
	if ttl == 0 {
		_, err := bucket.Put(ctx, key, value)
		return unavailable(err)
	}
	// JetStream accepts a time to live for a new key only, not for a change.
	err := l.Create(ctx, key, value, ttl)
	if errors.Is(err, eventlog.ErrExists) {
		if err = unavailable(bucket.Delete(ctx, key)); err == nil {
			err = l.Create(ctx, key, value, ttl)
		}
	}
	return err
}

// Create implements eventlog.Store.
func (l *Log) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	var options []jetstream.KVCreateOpt
	if ttl > 0 {
		options = append(options, jetstream.KeyTTL(max(ttl, time.Second)))
	}
	_, err := l.connected(ctx).bucket.Create(ctx, key, value, options...)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return eventlog.ErrExists
	}
	return unavailable(err)
}

// Keys implements eventlog.Store.
func (l *Log) Keys(ctx context.Context, prefix string) (keys []string, err error) {
	list, err := l.connected(ctx).bucket.ListKeysFiltered(ctx, prefix+">")
	if err != nil {
		return nil, unavailable(err)
	}
	for key := range list.Keys() {
		keys = append(keys, key)
	}
	return keys, unavailable(ctx.Err()) // the list is incomplete when ctx has ended
}

// Get implements eventlog.Store.
func (l *Log) Get(ctx context.Context, key string) ([]byte, error) {
	entry, err := l.connected(ctx).bucket.Get(ctx, key)
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
	// Without a time to live the server would keep the key's marker for ever.
	return unavailable(l.connected(ctx).bucket.Purge(ctx, key, jetstream.PurgeTTL(markerTTL)))
}
