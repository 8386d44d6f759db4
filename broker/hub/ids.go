package hub

import (
	"context"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// ids are the newest ids of the log with the digests of their events, so that
// a batch can be judged before anything of it is stored. They are read from
// the log for the first batch, and kept from the tail from then on. Beyond
// their number or their time the log alone knows an id, and judges it when the
// event is stored. They are safe for concurrent use.
type ids struct {
	window time.Duration // the log's deduplication window
	max    int           // how many are remembered at most

	loading sync.Mutex // held while the log is read

	mu        sync.Mutex // guards all below
	known     map[shortHash]knownID
	recording bool // the tail adds to them
}

// A sum stands for a key or a digest: half of a SHA-256.
type shortHash [16]byte

type knownID struct {
	seq    uint64
	digest shortHash
	stored time.Time
}

func shortHashOf(s string) shortHash {
	whole := sha256.Sum256([]byte(s))
	return shortHash(whole[:16])
}

// add remembers a record of the log. Run's goroutine calls it for every one.
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

// taken tells whether a key stands for another event of the log.
func (k *ids) conflicts(key, digest string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, found := k.known[shortHashOf(key)]
	return found && id.digest != shortHashOf(digest) && now.Sub(id.stored) < k.window
}

// forget makes the next batch read the log again.
func (k *ids) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recording, k.known = false, nil
}

// idPage is how many records are read at once.
const idPage = 512

// load reads the log, unless that was done before. The tail adds what comes
// meanwhile and later.
func (k *ids) load(ctx context.Context, log eventlog.Log, now time.Time) (err error) {
	k.loading.Lock()
	defer k.loading.Unlock()
	k.mu.Lock()
	live := k.recording
	if !live {
		k.recording, k.known = true, map[shortHash]knownID{}
	}
	k.mu.Unlock()
	if live {
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
	bounds, err := log.Bounds(ctx) // what the tail has taken before is within
	if err != nil {
		return err
	}
	if reach := uint64(k.max / 2); bounds.Last > reach {
		at = max(at, bounds.Last-reach)
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
