package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// Config is how a Hub works. The zero value of every field but Log is good.
type Config struct {
	Log                eventlog.Log
	Logger             *slog.Logger   // nil: none
	Heartbeat          time.Duration  // 15 s
	Retry              time.Duration  // what clients wait before the first reconnect, 1 s
	Ring               int            // recent events kept in memory, 4096
	MaxLag             int64          // bytes that a subscriber may lag, 4 MiB
	CheckpointInterval time.Duration  // how often the state is stored, 30 s
	Location           *time.Location // of the installation, UTC
	Currency           string         // of the installation, EUR
	Fleet              int            // rentable units of the installation; 0: unknown
	Strict             bool           // refuse what strict mode refuses, whatever a publisher asks for
	Observer           Observer       // nil: none
	Groups             Groups         // who writes to the readers of a view; nil: each reader pulls
	// Window is the deduplication window of the log. Defaults to one hour.
	Window time.Duration
	// IDs is how many ids of the log are remembered for batches, some 100 bytes
	// each, once there was one. Defaults to 262,144.
	MaxRememberedIDs int
	// TrustClock lets everything be forgotten by the clock at once, where the
	// platform keeps the clock.
	TrustClock bool
}

// Groups write to readers by view, where a write is dear and a goroutine for
// each is too: the hub hands every frame of a view over once. All methods are
// called under the hub's lock, so a reader that joins gets exactly the frames
// that follow. They must not block, nor call the hub.
type Groups interface {
	Join(view, reader string)
	Leave(view, reader string)
	Write(view string, frames []byte)  // to all who have joined
	Send(reader string, frames []byte) // to one alone
}

// A Hub serves streams from a log. All methods may be called concurrently;
// Run is called once.
type Hub struct {
	config     Config
	ready      chan struct{}           // closed when the state has caught up with the log
	wake       signal                  // a record was taken
	heartbeats map[wire.Format]*signal // a heartbeat is due for readers without a view, of Groups
	drained    chan struct{}           // closed by Drain
	readTokens chan struct{}           // tokens: how many subscribers read the log at once

	savedSeq     atomic.Uint64 // sequence of the stored checkpoint
	aheadWarning *rate.Sometimes
	claims       claims // of ids and entities, while an event is checked and stored
	ids          ids    // of the log, for batches
	clock        clockWatch

	started time.Time        // of this process, by the monotonic clock
	now     func() time.Time // the clock of the machine

	received, delivered atomic.Int64 // for Stats

	mu          sync.Mutex // guards all below
	state       *projection.State
	ring        []ringItem // in order; the last is the head where it is not empty
	views       map[string]*view
	subscribers map[*Subscriber]struct{}
	polls       map[string]int                      // long polls that wait, by the names of the roles
	persons     map[string]map[*Subscriber]struct{} // live ones, by access.PersonKeysOfGrant
	draining    bool
}

// An item is an event of the ring.
type ringItem struct {
	seq   uint64
	event event.Event
}

// concurrentReads is how many subscribers may read the log at once: each read
// is a burst of work for the log's single writer too.
const maxConcurrentReads = 4

// New makes a hub. Nothing happens before Run.
func New(c Config) *Hub {
	c.Heartbeat = cmp.Or(c.Heartbeat, 15*time.Second)
	c.Retry = cmp.Or(c.Retry, time.Second)
	c.Ring = cmp.Or(c.Ring, 4096)
	c.MaxLag = cmp.Or(c.MaxLag, 4<<20)
	c.CheckpointInterval = cmp.Or(c.CheckpointInterval, 30*time.Second)
	c.Currency = cmp.Or(c.Currency, "EUR")
	c.Window = cmp.Or(c.Window, time.Hour)
	c.MaxRememberedIDs = cmp.Or(c.MaxRememberedIDs, 1<<18)
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hub{
		config: c, ready: make(chan struct{}), drained: make(chan struct{}), readTokens: make(chan struct{}, maxConcurrentReads),
		aheadWarning: newAheadWarning(),
		state:        projection.NewState(c.Log.Epoch()), views: map[string]*view{}, heartbeats: map[wire.Format]*signal{wire.SSE: {}, wire.JSON: {}},
		subscribers: map[*Subscriber]struct{}{}, polls: map[string]int{}, persons: map[string]map[*Subscriber]struct{}{},
		ids: ids{window: c.Window, max: c.MaxRememberedIDs}, started: time.Now(), now: time.Now,
	}
	h.wake.init()
	for _, beat := range h.heartbeats {
		beat.init()
	}
	return h
}

// Run serves until ctx ends, then stores a last checkpoint. An error means
// that the log failed; Run may be called again then, and goes on where it was.
func (h *Hub) Run(ctx context.Context) error {
	if err := h.loadState(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var side sync.WaitGroup
	side.Go(func() { h.runHeartbeats(ctx) })
	side.Go(func() { h.runCheckpoints(ctx) })
	defer side.Wait()
	defer cancel()
	return h.tailLog(ctx)
}

// Follow is Run without a clock, for who calls Heartbeat and Save by an alarm.
func (h *Hub) Follow(ctx context.Context) error {
	if err := h.loadState(ctx); err != nil {
		return err
	}
	return h.tailLog(ctx)
}

// follow takes what the log has and gets, until ctx ends.
func (h *Hub) tailLog(ctx context.Context) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
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

// setReady is called by Run's goroutine alone.
func (h *Hub) markReady() {
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

// Ready is closed once the state is as new as the log was at the start.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// head is the cursor through which records were taken.
func (h *Hub) head() wire.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Cursor
}

// Decode reads the event of a record. Its times are never far after the time
// when the log stored it, whatever an old log holds.
func Decode(r eventlog.Record, epoch string) (event.Event, error) {
	var e event.Event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return e, fmt.Errorf("hub: record %d: %w", r.Seq, err)
	}
	e.Cursor = wire.Cursor{Epoch: epoch, Seq: r.Seq}.String()
	return e.ClampTimes(r.Stored), nil
}

// take is called for every record, in order, by Run's goroutine alone.
func (h *Hub) handle(r eventlog.Record) {
	at := wire.Cursor{Epoch: h.config.Log.Epoch(), Seq: r.Seq}
	e, err := Decode(r, at.Epoch)
	if err != nil {
		// Only a foreign writer can bring this about. The record is passed
		// over, but its place is taken.
		h.config.Logger.Error("unreadable record", "seq", r.Seq, "error", err)
	}
	h.received.Add(1)
	h.config.Observer.Received(e.Type)
	h.ids.add(r)
	h.mu.Lock()
	h.state.Apply(e, at)
	h.ring = append(h.ring, ringItem{r.Seq, e})
	if len(h.ring) >= 2*h.config.Ring {
		h.ring = append([]ringItem(nil), h.ring[len(h.ring)-h.config.Ring:]...)
	}
	woken := h.deliverLocked(e, at, r.Stored)
	h.mu.Unlock()
	for _, v := range woken {
		v.wake.notify()
	}
	h.wake.notify()
}

// deliverLocked writes an event to the views and persons that see it. A form
// is encoded once for all views of the same roles and format.
func (h *Hub) deliverLocked(e event.Event, at wire.Cursor, stored time.Time) (woken []*view) {
	forms := map[string][]byte{}
	for _, v := range h.views {
		if !v.filter.Match(e) {
			continue
		}
		frame, known := forms[v.audience]
		if !known {
			if seen, ok := access.RedactForRoles(v.roles, e); ok {
				frame = v.format.Append(nil, &wire.Event{Cursor: at, Event: seen})
			}
			forms[v.audience] = frame
		}
		if frame != nil {
			v.newestStored.Store(stored.UnixNano())
			if h.appendLocked(v, frame) {
				woken = append(woken, v)
			} else {
				h.config.Observer.Delivered(time.Since(stored))
			}
			h.delivered.Add(int64(v.memberCount))
		}
	}
	for _, person := range access.PersonKeysOfEvent(e) {
		for s := range h.persons[person] {
			if forms[s.view.audience] != nil || !s.view.filter.Match(e) {
				continue // the view's form stands
			}
			if seen, ok := access.RedactForPerson(s.grant, e); ok {
				h.delivered.Add(1)
				if frame := s.format.Append(nil, &wire.Event{Cursor: at, Event: seen}); h.config.Groups != nil {
					h.config.Groups.Send(s.ID, frame)
				} else {
					s.splice(frame)
					woken = append(woken, s.view)
				}
			}
		}
	}
	return woken
}

// appendLocked adds frames to a view, and tells whether its readers are to be
// woken for them.
func (h *Hub) appendLocked(v *view, frames []byte) (wake bool) {
	if h.config.Groups != nil {
		h.config.Groups.Write(v.key, frames)
		return false
	}
	v.append(frames)
	return true
}

// beat writes heartbeats to the views and closes who lags.
func (h *Hub) runHeartbeats(ctx context.Context) {
	beats := time.NewTicker(h.config.Heartbeat)
	defer beats.Stop()
	sweeps := time.NewTicker(time.Second)
	defer sweeps.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweeps.C:
			h.CloseWhere(wire.ByeSlow, (*Subscriber).isLagging)
		case <-beats.C:
			h.Heartbeat(wire.SSE, wire.JSON)
		}
	}
}

// Heartbeat tells every view of the formats how far it is delivered.
func (h *Hub) Heartbeat(formats ...wire.Format) {
	h.mu.Lock()
	beat := &wire.Heartbeat{Cursor: h.state.Cursor}
	frames := map[wire.Format][]byte{wire.SSE: wire.AppendSSE(nil, beat), wire.JSON: wire.AppendJSON(nil, beat)}
	woken := make([]*view, 0, len(h.views))
	for _, v := range h.views {
		if slices.Contains(formats, v.format) && h.appendLocked(v, frames[v.format]) {
			woken = append(woken, v)
		}
	}
	h.mu.Unlock()
	for _, v := range woken {
		v.wake.notify()
	}
	for _, format := range formats {
		h.heartbeats[format].notify()
	}
}

// Await returns when records up to and including seq were taken, so that who
// published reads their own event in the next snapshot.
func (h *Hub) Await(ctx context.Context, seq uint64) error {
	for {
		wake := h.wake.wait()
		if h.head().Seq >= seq {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Entity returns the last state of one entity, nil where there is none.
func (h *Hub) Entity(key string) *projection.Entity {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Get(key)
}

// readyWithin is how long a request waits while the hub starts.
const readyTimeout = 3 * time.Second

// awaitReady waits until the hub has caught up, for a while.
func (h *Hub) awaitReady(ctx context.Context) error {
	select {
	case <-h.ready: // without a timer, in all but the first moments
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

// Snapshot is the state as the grant may see it. The error is ErrNotReady, or
// that of ctx.
func (h *Hub) Snapshot(ctx context.Context, g access.Grant) (projection.Snapshot, error) {
	if err := h.awaitReady(ctx); err != nil {
		return projection.Snapshot{}, err
	}
	h.mu.Lock()
	at, entities := h.state.Cursor, h.state.Entities()
	h.mu.Unlock()
	now := time.Now()
	return projection.NewSnapshot(at, entities, g, now,
		projection.Installation{Zone: projection.ZoneAt(now, h.config.Location), Currency: h.config.Currency, Fleet: h.config.Fleet}), nil
}

// ErrNotReady means that the state has not caught up with the log yet.
var ErrNotReady = errors.New("hub: still starting")
