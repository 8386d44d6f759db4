package fanout

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/snd-rental/yardline/broker/hub"
)

// Config configures a [Writer]. Only Hub is required.
type Config struct {
	// Hub is the hub whose subscriptions are written. It is required.
	Hub *hub.Hub
	// Shards is the number of goroutines that write. Defaults to the number of
	// cores that Go uses.
	Shards int
	// Logger receives the log lines. nil discards them.
	Logger *slog.Logger
}

// logReaders is the number of workers that read the log. The hub lets no more
// subscribers than that read at the same time.
const logReaders = 4

// A Writer writes streams. All methods may be called concurrently.
type Writer struct {
	config  Config
	shards  []*shard
	next    atomic.Uint32 // number of streams so far, by which shards get streams in turn
	crowd   crowd
	changes atomic.Int64 // number of changes of the hub
	recent  *queue       // streams that need events of the ring
	behind  *queue       // streams that need events of the log
	stop    func()       // ends the calls of Hub.Watch
	cancel  context.CancelFunc
	done    sync.WaitGroup // the shards and the workers
}

// New starts a Writer. The caller must call Close. The error is that of the
// kernel, for example when it has no more descriptors.
func New(c Config) (*Writer, error) {
	c.Shards = cmp.Or(c.Shards, runtime.GOMAXPROCS(0))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Writer{config: c, recent: newQueue(), behind: newQueue()}
	for range c.Shards {
		s, err := newShard(w)
		if err != nil {
			return nil, errors.Join(err, w.closeDescriptors())
		}
		w.shards = append(w.shards, s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for _, s := range w.shards {
		w.done.Go(s.run)
	}
	for range runtime.GOMAXPROCS(0) {
		w.done.Go(w.serveRecent)
	}
	for range logReaders {
		w.done.Go(func() { w.serveBehind(ctx) })
	}
	w.stop = c.Hub.Watch(w.wakeAll)
	return w, nil
}

// wakeAll tells all shards that views may have new bytes.
func (w *Writer) wakeAll() {
	w.changes.Add(1)
	for _, s := range w.shards {
		if s.count.Load() > 0 { // a stream that comes later sees that changes has grown
			s.post(func() { s.changed = true })
		}
	}
}

// EndAll ends all streams without a goodbye.
func (w *Writer) EndAll() {
	for _, s := range w.shards {
		s.post(func() { s.endAll = true })
	}
}

// Close ends all streams and waits for the goroutines of the Writer.
func (w *Writer) Close() error {
	w.stop()
	w.cancel()
	w.crowd.stop()
	w.recent.close()
	w.behind.close()
	for _, s := range w.shards {
		s.post(func() { s.closing = true })
	}
	w.done.Wait()
	for _, s := range w.shards {
		s.closeAll()
	}
	return w.closeDescriptors()
}

// closeDescriptors closes the descriptors of the shards.
func (w *Writer) closeDescriptors() (err error) {
	for _, s := range w.shards {
		err = errors.Join(err, s.closeDescriptors())
	}
	return err
}

// serveRecent is a worker that serves streams from the ring of the hub.
func (w *Writer) serveRecent() {
	var f framer
	for st := w.recent.pop(); st != nil; st = w.recent.pop() {
		w.serve(st, &f)
	}
}

// serveBehind is a worker that serves streams from the log.
func (w *Writer) serveBehind(ctx context.Context) {
	var f framer
	for st := w.behind.pop(); st != nil; st = w.behind.pop() {
		frames, err := st.sub.ReadLog(ctx)
		if err != nil {
			st.end(err)
		}
		st.unsent = frames
		w.serve(st, &f)
	}
}

// serve writes to a stream, and gives it to its next owner.
func (w *Writer) serve(st *Stream, f *framer) {
	switch st.pump(f); st.result {
	case hasMore:
		w.recent.push(st)
	case isBehind:
		w.behind.push(st)
	default:
		st.shard.give(st)
	}
}

// A queue holds streams for workers, in the order in which they came. All
// methods may be called concurrently.
type queue struct {
	mu      sync.Mutex // guards all below
	changed *sync.Cond
	waiting []*Stream
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// push adds a stream.
func (q *queue) push(st *Stream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, st)
	q.changed.Signal()
}

// pop waits for a stream. It returns nil when the queue is closed.
func (q *queue) pop() *Stream {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	if q.closed {
		return nil
	}
	st := q.waiting[0]
	q.waiting[0] = nil // so that the queue does not keep the memory of a stream that has ended
	q.waiting = q.waiting[1:]
	return st
}

// close makes pop return nil. Streams that wait stay where they are.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
