package jetlog

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// maxIDs is the largest number of ids that the log remembers. Each takes about
// 100 bytes of memory.
const maxIDs = 1 << 18

// ids holds the newest ids of the log with the digests of their records. With it
// the log recognises repetitions and conflicts before it sends a group, because a
// server refuses a whole batch when one id is stored already, and cannot be asked
// by id. An id that is too old for ids is checked by the server alone. All methods
// may be called concurrently.
type ids struct {
	window time.Duration // deduplication window of the log
	max    int           // largest number of ids

	mu sync.Mutex // guards all below
	// newer receives ids. When it holds half of max, it replaces older.
	newer, older map[shortHash]knownID
	purged       uint64 // number of the last purged record
}

// A shortHash is the first half of the SHA-256 of a key or a digest. It takes less
// memory than these.
type shortHash [16]byte

// shortHashOf returns the hash of a text.
func shortHashOf(s string) shortHash {
	hash := sha256.Sum256([]byte(s))
	return shortHash(hash[:16])
}

// A knownID is the newest record with an id.
type knownID struct {
	seq    uint64
	digest shortHash
	stored int64 // Unix time in nanoseconds
}

// add remembers the ids of records.
func (k *ids) add(records ...eventlog.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range records {
		if r.Key == "" {
			continue // another program stored it
		}
		key := shortHashOf(r.Key)
		if known, found := k.getLocked(key); found && known.seq >= r.Seq {
			continue
		}
		if k.newer == nil || len(k.newer) >= k.max/2 {
			k.newer, k.older = map[shortHash]knownID{}, k.newer
		}
		k.newer[key] = knownID{r.Seq, shortHashOf(r.Digest), r.Stored.UnixNano()}
	}
}

// getLocked returns what is known of a key. The caller must hold k.mu.
func (k *ids) getLocked(key shortHash) (id knownID, found bool) {
	if id, found = k.newer[key]; !found {
		id, found = k.older[key]
	}
	return id, found
}

// find returns the number of the record that has the entry's key, and 0 when none
// is known. The error is eventlog.ErrConflict when the record has another digest.
// A purged record counts as the same event.
func (k *ids) find(e eventlog.Entry) (seq uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, found := k.getLocked(shortHashOf(e.Key))
	if !found || time.Since(time.Unix(0, id.stored)) >= k.window {
		return 0, nil
	}
	if id.seq > k.purged && id.digest != shortHashOf(e.Digest) {
		return 0, eventlog.ErrConflict
	}
	return id.seq, nil
}

// notePurged notes that the records up to a number were purged.
func (k *ids) notePurged(through uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.purged = max(k.purged, through)
}

// idPage is the number of records that loadIDs reads at once.
const idPage = 512

// loadIDs reads the newest ids of the log, and then closes l.idsLoaded. It tries
// again every second until ctx ends.
func (l *Log) loadIDs(ctx context.Context) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for attempt := 1; ; attempt++ {
		err := l.readIDs(ctx)
		if err == nil {
			close(l.idsLoaded)
			return
		}
		if attempt == 1 && ctx.Err() == nil {
			l.config.Logger.Warn("the newest ids of the log could not be read; trying again", "error", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// readIDs is one attempt of loadIDs.
func (l *Log) readIDs(ctx context.Context) error {
	at, err := eventlog.SeqBefore(ctx, l, time.Now().Add(-l.ids.window))
	if err != nil {
		return err
	}
	bounds, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	l.ids.notePurged(bounds.First - 1)
	if most := uint64(l.ids.max / 2); bounds.Last > most {
		at = max(at, bounds.Last-most)
	}
	for at < bounds.Last {
		page, err := l.Read(ctx, at, idPage, eventlog.Selection{})
		if err != nil {
			return err
		}
		l.ids.add(page.Records...)
		at = page.Through
	}
	return nil
}
