package hub

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub/sharedgzip"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Hub serves streams, snapshots and pages of history from a log, and stores
// published events in it. All methods may be called concurrently, but only one
// call of Run or Follow may run at a time.
type Hub struct {
	config Config
	// ready is closed when the state has caught up with the log.
	ready chan struct{}
	// wake is notified after every handled record, and by Drain.
	wake       signal
	seqWaiters seqWaiters // callers of Await
	// heartbeats holds the heartbeats of each format, for the subscribers that
	// have no view.
	heartbeats map[wire.Format]*heartbeats
	drained    chan struct{} // closed by Drain
	readTokens chan struct{} // holds one token for each subscriber that reads the log

	savedSeq     atomic.Uint64   // sequence of the stored checkpoint
	oldest       atomic.Uint64   // sequence of the oldest kept record, as far as this hub knows
	cachedBytes  atomic.Int64    // size of the frames that the ring holds
	aheadWarning *rate.Sometimes // limits the log lines of warnAhead
	compressors  *sharedgzip.Pool
	catchUps     chan struct{} // has an element for each subscriber of gzip without a view that Poll serves
	claims       claims        // ids and entities of the events that are being checked and stored
	clock        clockWatch

	started time.Time        // start of this process, by the monotonic clock
	now     func() time.Time // the machine's clock

	received, delivered atomic.Int64 // totals for Stats

	mu          sync.Mutex // guards all below
	state       *projection.State
	ring        []*recentEvent // in the order of the log; the last one is the head
	audiences   map[string]*audience
	views       map[string]*View
	viewList    []*View   // the values of views, never changed in place; nil after views has changed
	watchers    []*func() // the functions of Watch, never changed in place
	subscribers map[*Subscriber]struct{}
	polls       map[string]int // number of waiting long polls by the names of their roles
	// persons holds the subscribers with a view, by access.PersonKeysOfGrant.
	persons  map[string]map[*Subscriber]struct{}
	draining bool
}

// maxConcurrentReads is the number of subscribers that may read the log at the
// same time. It is small because each read also burdens the log's single
// writer.
const maxConcurrentReads = 4

// New returns a hub. The hub does nothing before Run or Follow is called.
func New(c Config) *Hub {
	c = c.withDefaults()
	h := &Hub{
		config:       c,
		ready:        make(chan struct{}),
		heartbeats:   map[wire.Format]*heartbeats{wire.SSE: {}, wire.JSON: {}},
		drained:      make(chan struct{}),
		readTokens:   make(chan struct{}, maxConcurrentReads),
		aheadWarning: newAheadWarning(),
		compressors:  sharedgzip.NewPool(c.Compressors),
		catchUps:     make(chan struct{}, runtime.GOMAXPROCS(0)),
		started:      time.Now(),
		now:          time.Now,
		state:        projection.NewState(c.Log.Epoch()),
		audiences:    map[string]*audience{},
		views:        map[string]*View{},
		subscribers:  map[*Subscriber]struct{}{},
		polls:        map[string]int{},
		persons:      map[string]map[*Subscriber]struct{}{},
	}
	h.wake.init()
	for _, s := range h.heartbeats {
		s.init()
	}
	return h
}

// Run serves until ctx ends, then stores a last checkpoint and returns nil. An
// error means that the log failed. The caller may then call Run again, and the
// hub continues where it stopped.
func (h *Hub) Run(ctx context.Context) error {
	if err := h.loadState(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { h.runHeartbeats(ctx) })
	helpers.Go(func() { h.runCheckpoints(ctx) })
	defer helpers.Wait()
	defer cancel()
	return h.tailLog(ctx)
}

// Follow is like Run but starts no timers: the caller must call Heartbeat and
// Save itself.
func (h *Hub) Follow(ctx context.Context) error {
	if err := h.loadState(ctx); err != nil {
		return err
	}
	return h.tailLog(ctx)
}

// tailLog handles the records that the log holds and receives, until ctx ends.
func (h *Hub) tailLog(ctx context.Context) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	h.oldest.Store(bounds.First)
	if h.head().Seq >= bounds.Last {
		h.markReady()
	}
	return h.config.Log.Tail(ctx, h.head().Seq, func(r eventlog.Record) {
		h.handle(r)
		if r.Seq >= bounds.Last {
			h.markReady()
		}
	})
}

// markReady closes h.ready. Only the goroutine that runs Run or Follow calls it.
func (h *Hub) markReady() {
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

// Ready returns a channel that is closed once the state is as new as the log
// was when Run or Follow started.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// head returns the cursor of the newest handled record.
func (h *Hub) head() wire.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Cursor
}

// Entity returns the present state of an entity, or nil when there is none.
func (h *Hub) Entity(key string) *projection.Entity {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Get(key)
}

// readyTimeout is the time that a request waits for a hub that is starting.
const readyTimeout = 3 * time.Second

// awaitReady waits up to readyTimeout until the hub has caught up with the log.
// The error is ErrNotReady, or that of ctx.
func (h *Hub) awaitReady(ctx context.Context) error {
	select {
	case <-h.ready: // the usual case needs no timer
		return nil
	default:
	}
	timer := time.NewTimer(readyTimeout)
	defer timer.Stop()
	select {
	case <-h.ready:
		return nil
	case <-timer.C:
		return ErrNotReady
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Snapshot returns the state as the grant may see it. The error is ErrNotReady,
// or that of ctx.
func (h *Hub) Snapshot(ctx context.Context, g access.Grant) (projection.Snapshot, error) {
	if err := h.awaitReady(ctx); err != nil {
		return projection.Snapshot{}, err
	}
	h.mu.Lock()
	at, entities := h.state.Cursor, h.state.Entities()
	h.mu.Unlock()
	now := time.Now()
	installation := projection.Installation{
		Zone:     projection.ZoneAt(now, h.config.Location),
		Currency: h.config.Currency,
		Fleet:    h.config.Fleet,
	}
	return projection.NewSnapshot(at, entities, g, now, installation), nil
}

// ErrNotReady means that the state has not caught up with the log yet.
var ErrNotReady = errors.New("hub: still starting")
