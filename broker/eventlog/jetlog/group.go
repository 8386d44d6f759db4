package jetlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/snd-rental/yardline/broker/eventlog"
)

const (
	// maxGroup is the largest number of messages of a group. A server refuses
	// more in one atomic batch.
	maxGroup = 1000
	// minGroup is the least number of single entries that are sent as a batch.
	// A batch takes the server as long as some eight ordinary messages, because
	// the server keeps it in files of its own until the last message.
	minGroup = 8
)

// A groupWriter lets the calls of Append and AppendBatch that wait at the same
// time share one flush. One goroutine stores a group of them after the other. It
// runs while a call waits.
type groupWriter struct {
	running sync.WaitGroup // counts the goroutine

	mu      sync.Mutex // guards all below, and the fields of groups
	waiting []*request // calls that are in no group yet, in the order of their arrival
	active  bool       // true while the goroutine runs
	closed  bool       // true after Close
}

// A group is a number of requests that share one flush.
type group struct {
	requests  []*request
	abandoned int // number of requests whose callers have given up
	ctx       context.Context
	cancel    context.CancelFunc // called when all callers have given up
}

// A request is a call of Append or AppendBatch.
type request struct {
	entries []eventlog.Entry
	group   *group          // nil while the request waits; guarded by groupWriter.mu
	batch   *eventlog.Batch // set by storeGroup

	acks []eventlog.Ack // result, valid once done is closed
	err  error
	done chan struct{}
}

// answer ends a request.
func (r *request) answer(acks []eventlog.Ack, err error) {
	r.acks, r.err = acks, err
	close(r.done)
}

// await stores entries together with those of other callers, and waits for the
// result.
func (l *Log) await(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Ack, error) {
	r := &request{entries: entries, done: make(chan struct{})}
	w := &l.writer
	w.mu.Lock()
	if w.closed || ctx.Err() != nil {
		w.mu.Unlock()
		return nil, unavailable(cmp.Or(ctx.Err(), errClosed))
	}
	w.waiting = append(w.waiting, r)
	if !w.active {
		w.active = true
		w.running.Go(l.storeGroups)
	}
	w.mu.Unlock()
	select {
	case <-r.done:
		return r.acks, r.err
	case <-ctx.Done():
		w.abandon(r)
		return nil, unavailable(ctx.Err())
	}
}

// abandon gives a request up. Nothing is sent for a request that is in no group.
func (w *groupWriter) abandon(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.group == nil {
		w.waiting = slices.DeleteFunc(w.waiting, func(other *request) bool { return other == r })
	} else if r.group.abandoned++; r.group.abandoned == len(r.group.requests) {
		r.group.cancel()
	}
}

// errClosed means that the log was closed.
var errClosed = errors.New("jetlog: closed")

// close waits for the group that is being stored, and refuses all later calls.
func (w *groupWriter) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.running.Wait()
}

// storeGroups stores the waiting requests, one group after the other, until no
// request waits.
func (l *Log) storeGroups() {
	for g := l.writer.next(); g != nil; g = l.writer.next() {
		l.storeGroup(g)
		g.cancel()
	}
}

// next takes the requests of the next group out of the queue. A request that has
// a key of the group stays in the queue, so that it waits for the other's result.
// When no request waits, next returns nil, and its caller must return.
func (w *groupWriter) next() *group {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.active = false
		return nil
	}
	g := &group{}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	keys := map[string]bool{}
	messages, later := 0, w.waiting[:0:0]
	for i, r := range w.waiting {
		if messages > 0 && messages+len(r.entries) > maxGroup {
			later = append(later, w.waiting[i:]...)
			break
		}
		if r.hasKey(keys) {
			later = append(later, r)
			continue
		}
		for _, e := range r.entries {
			keys[e.Key] = true
		}
		r.group, messages = g, messages+len(r.entries)
		g.requests = append(g.requests, r)
	}
	w.waiting = later
	return g
}

// hasKey reports whether an entry has one of the keys.
func (r *request) hasKey(keys map[string]bool) bool {
	for _, e := range r.entries {
		if keys[e.Key] {
			return true
		}
	}
	return false
}

// storeGroup stores the entries of a group, and answers its requests.
func (l *Log) storeGroup(g *group) {
	var pending []*request
	for _, r := range g.requests {
		var err error
		switch r.batch, err = eventlog.NewBatch(r.entries, l.ids.find); {
		case err != nil:
			r.answer(nil, err)
		case len(r.batch.New) == 0:
			r.answer(r.batch.Acks(0), nil)
		default:
			pending = append(pending, r)
		}
	}
	if len(pending) == 0 || l.storeTogether(g.ctx, pending) {
		return
	}
	var each sync.WaitGroup
	for _, r := range pending {
		each.Go(func() {
			if len(pending) == 1 || !l.storeTogether(g.ctx, []*request{r}) {
				r.answer(eventlog.AppendInTurn(g.ctx, l.appendOne, r.entries))
			}
		})
	}
	each.Wait()
}

// storeTogether stores the new entries of requests in one atomic batch, and
// answers the requests. It returns false, and answers none, when the entries must
// be stored one by one, because there are few or because the server refuses the
// batch. Then nothing was stored.
func (l *Log) storeTogether(caller context.Context, requests []*request) bool {
	ctx, cancel := context.WithTimeout(caller, callTimeout)
	defer cancel()
	var entries []eventlog.Entry
	for _, r := range requests {
		for _, i := range r.batch.New {
			entries = append(entries, r.entries[i])
		}
	}
	head, now := l.knownHead(), time.Now()
	link := l.connected(ctx)
	// The entries of one request must be stored as a whole.
	if few := len(entries) < minGroup && len(entries) == len(requests); few || !link.atomic {
		return false
	}
	last, err := link.publishBatch(ctx, entries)
	if isRefused(err) {
		return false
	}
	if err == nil || caller.Err() == nil {
		l.noteAppend(err)
	}
	first := last + 1 - uint64(len(entries))
	if err != nil {
		err = unavailable(err)
	} else {
		err = l.noteStored(entries, first, head, now)
	}
	for _, r := range requests {
		if err != nil {
			r.answer(nil, err)
			continue
		}
		r.answer(r.batch.Acks(first), nil)
		first += uint64(len(r.batch.New))
	}
	return true
}

// publishBatch stores entries in one atomic batch, and returns the number of the
// last record. While there is no connection it tries again until ctx ends,
// because a batch is stored only with its last message.
func (l *link) publishBatch(ctx context.Context, entries []eventlog.Entry) (last uint64, err error) {
	messages := make([]*nats.Msg, len(entries))
	for i, e := range entries {
		messages[i] = l.config.message(e)
	}
	for {
		ack, err := jetstreamext.PublishMsgBatch(ctx, l.js, messages, jetstreamext.BatchFlowControl{})
		if err == nil {
			return ack.Sequence, nil
		}
		if !errors.Is(err, errNotConnected) || !pause(ctx) {
			return 0, fmt.Errorf("batch: %w", err)
		}
	}
}

// refusalCodes are the error codes by which a server refuses an atomic batch before it
// stores anything: an id is stored already, the batch is too large, batches are off, or
// too many are in flight. After another error the batch may be in the server's memory.
var refusalCodes = []jetstream.ErrorCode{10201, 10199, 10174, 10210}

// isRefused reports whether the error of an atomic batch means that the server
// has refused it and stored nothing.
func isRefused(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) && slices.Contains(refusalCodes, refused.ErrorCode) ||
		errors.Is(err, nats.ErrNoResponders)
}
