package hub

import (
	"context"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// ids holds the newest ids of the log with the digests of their events, so that
// the hub can check a batch before it stores any of its events. The first batch
// reads them from the log, and from then on the hub adds each record that it
// handles. An id that is too old for ids is checked by the log alone, when the
// event is stored. All methods may be called concurrently.
type ids struct {
	window time.Duration // deduplication window of the log
	max    int           // largest number of ids

	loading sync.Mutex // held while load reads the log; mu may be locked under it

	mu        sync.Mutex // guards all below
	known     map[shortHash]knownID
	recording bool // add records ids; load sets it before it reads the log
}

// A shortHash is the first half of the SHA-256 of a key or a digest. It takes less
// memory than these.
type shortHash [16]byte

// A knownID is the newest record with an id.
type knownID struct {
	seq    uint64
	digest shortHash
	stored time.Time
}

// shortHashOf returns the hash of a text.
func shortHashOf(s string) shortHash {
	hash := sha256.Sum256([]byte(s))
	return shortHash(hash[:16])
}

// add remembers the id of a record. The goroutine that runs Run or Follow calls
// it for every record, and load for those that it reads.
func (k *ids) add(r eventlog.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.recording || r.Key == "" {
		return
	}
	if len(k.known) >= k.max {
		newest := r.Seq
		maps.DeleteFunc(k.known, func(_ shortHash, id knownID) bool {
			return id.seq+uint64(k.max/2) < newest || r.Stored.Sub(id.stored) > k.window
		})
	}
	if old, found := k.known[shortHashOf(r.Key)]; !found || old.seq < r.Seq {
		k.known[shortHashOf(r.Key)] = knownID{r.Seq, shortHashOf(r.Digest), r.Stored}
	}
}

// conflicts reports whether another event of the log has the key.
func (k *ids) conflicts(key, digest string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, found := k.known[shortHashOf(key)]
	return found && id.digest != shortHashOf(digest) && now.Sub(id.stored) < k.window
}

// forget removes all ids. The next batch reads the log again.
func (k *ids) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recording, k.known = false, nil
}

// idPage is the number of records that load reads at once.
const idPage = 512

// load reads the ids of the log, unless an earlier call has read them. The hub
// adds the records that it handles in the meantime and later.
func (k *ids) load(ctx context.Context, log eventlog.Log, now time.Time) (err error) {
	k.loading.Lock()
	defer k.loading.Unlock()
	k.mu.Lock()
	loaded := k.recording
	if !loaded {
		k.recording, k.known = true, map[shortHash]knownID{}
	}
	k.mu.Unlock()
	if loaded {
		return nil
	}
	defer func() {
		if err != nil {
			k.forget()
		}
	}()
	at, err := eventlog.SeqBefore(ctx, log, now.Add(-k.window))
	if err != nil {
		return err
	}
	// All records that the hub handled before recording was set are within
	// these bounds.
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return err
	}
	if most := uint64(k.max / 2); bounds.Last > most {
		at = max(at, bounds.Last-most)
	}
	for at < bounds.Last {
		page, err := log.Read(ctx, at, idPage, eventlog.Selection{})
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			k.add(r)
		}
		at = page.Through
	}
	return nil
}
