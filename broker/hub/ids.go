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
	most   int           // how many are remembered at most

	build sync.Mutex // held while the log is read

	mu    sync.Mutex // guards all below
	known map[sum]knownID
	live  bool // the tail adds to them
}

// A sum stands for a key or a digest: half of a SHA-256.
type sum [16]byte

type knownID struct {
	seq    uint64
	digest sum
	stored time.Time
}

func sumOf(s string) sum {
	whole := sha256.Sum256([]byte(s))
	return sum(whole[:16])
}

// add remembers a record of the log. Run's goroutine calls it for every one.
func (k *ids) add(r eventlog.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.live || r.Key == "" {
		return
	}
	if len(k.known) >= k.most {
		newest := r.Seq
		maps.DeleteFunc(k.known, func(_ sum, id knownID) bool {
			return id.seq+uint64(k.most/2) < newest || r.Stored.Sub(id.stored) > k.window
		})
	}
	if old, found := k.known[sumOf(r.Key)]; !found || old.seq < r.Seq {
		k.known[sumOf(r.Key)] = knownID{r.Seq, sumOf(r.Digest), r.Stored}
	}
}

// taken tells whether a key stands for another event of the log.
func (k *ids) taken(key, digest string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, found := k.known[sumOf(key)]
	return found && id.digest != sumOf(digest) && now.Sub(id.stored) < k.window
}

// forget makes the next batch read the log again.
func (k *ids) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.live, k.known = false, nil
}

// idPage is how many records are read at once.
const idPage = 512

// load reads the log, unless that was done before. The tail adds what comes
// meanwhile and later.
func (k *ids) load(ctx context.Context, log eventlog.Log, now time.Time) (err error) {
	k.build.Lock()
	defer k.build.Unlock()
	k.mu.Lock()
	live := k.live
	if !live {
		k.live, k.known = true, map[sum]knownID{}
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
	if reach := uint64(k.most / 2); bounds.Last > reach {
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
