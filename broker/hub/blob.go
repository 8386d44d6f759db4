package hub

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/wire"
)

// A blob is the index of a value that may be larger than the store accepts at
// once. The value consists of parts, and the index is stored under the blob's
// key. saveBlob writes the parts under new keys first and the index last, so
// that a reader finds either the whole old value or the whole new one.
type blob struct {
	// Generation is a random text in the keys of the parts.
	Generation string `json:"generation"`
	// Parts is the number of parts.
	Parts int `json:"parts"`
	// Version is the sequence of the log that the value belongs to.
	Version uint64 `json:"version"`
	// Epoch is the epoch of Version. It is empty in blobs of earlier versions
	// of the broker.
	Epoch string `json:"epoch,omitempty"`
}

// partBytes is the size of all parts but the last. It is below the default
// limit of a NATS message, which is 1 MiB.
const partBytes = 512 << 10

// partKey returns the key of a part of the blob.
func (b blob) partKey(key string, i int) string { return fmt.Sprintf("%s.%s.%d", key, b.Generation, i) }

// saveBlob stores a value that belongs to the cursor at. It does nothing when
// the store holds a value of the same or a later cursor of the same epoch.
func saveBlob(ctx context.Context, s eventlog.Store, key string, value []byte, at wire.Cursor) error {
	old, err := loadBlobIndex(ctx, s, key)
	if err != nil && !errors.Is(err, eventlog.ErrNotFound) && !errors.Is(err, errDamagedBlob) {
		return err
	}
	if err == nil && old.Version >= at.Seq && (old.Epoch == at.Epoch || old.Epoch == "") {
		return nil
	}
	next := blob{strings.ToLower(rand.Text()[:8]), (len(value) + partBytes - 1) / partBytes, at.Seq, at.Epoch}
	for i := range next.Parts {
		if err := s.Put(ctx, next.partKey(key, i), value[i*partBytes:min((i+1)*partBytes, len(value))], 0); err != nil {
			return err
		}
	}
	index, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := s.Put(ctx, key, index, 0); err != nil {
		return err
	}
	for i := range old.Parts {
		if err := s.Delete(ctx, old.partKey(key, i)); err != nil {
			return err
		}
	}
	return nil
}

// loadBlob returns a value. The error is eventlog.ErrNotFound when there is
// none, wraps errDamagedBlob when a part is missing, or is that of the store.
func loadBlob(ctx context.Context, s eventlog.Store, key string) ([]byte, error) {
	index, err := loadBlobIndex(ctx, s, key)
	if err != nil {
		return nil, err
	}
	var value []byte
	for i := range index.Parts {
		part, err := s.Get(ctx, index.partKey(key, i))
		if err != nil {
			return nil, fmt.Errorf("%w: part %d of %s: %w", errDamagedBlob, i, key, err)
		}
		value = append(value, part...)
	}
	return value, nil
}

// errDamagedBlob means that the index of a blob cannot be read, or a part is
// missing.
var errDamagedBlob = errors.New("hub: damaged value")

// loadBlobIndex returns the index of a blob.
func loadBlobIndex(ctx context.Context, s eventlog.Store, key string) (b blob, err error) {
	raw, err := s.Get(ctx, key)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(raw, &b); err != nil || b.Parts < 0 {
		return blob{}, fmt.Errorf("%w: index of %s", errDamagedBlob, key)
	}
	return b, nil
}
