package jetlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/datadir"
)

const (
	// recordEvery is how old the head in the record may be.
	recordEvery = 10 * time.Second
	// renewEvery is how old the witness may be: a backup of a running broker
	// that is written over the present files is noticed where it is older.
	renewEvery = time.Hour
	// markerAge is how old the mark of a deleted key is that nobody needs.
	markerAge = time.Hour
)

// checkSoon asks the keeper to look at the log. It never waits.
func (l *Log) checkSoon() {
	select {
	case l.poke <- struct{}{}:
	default: // It will look anyway.
	}
}

// tend keeps the record of the epoch up to date, at once or when it is due. Only
// the keeper calls it.
func (l *Log) tend(ctx context.Context, atOnce bool) {
	if !atOnce && time.Since(l.state.checked) < recordEvery || l.Health() != nil || l.gaveUp() {
		return
	}
	l.state.checked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	if l.c.URL == "" {
		err = l.tendOwn(ctx)
	} else {
		err = l.tendShared(ctx)
	}
	if err != nil && ctx.Err() == nil && !l.state.failing {
		l.c.Logger.Warn("the log's record of its epoch could not be kept; trying again", "error", err)
	}
	l.state.failing = err != nil
}

// tendOwn keeps the record of an embedded log, which nobody else writes.
func (l *Log) tendOwn(ctx context.Context) error {
	if err := datadir.FixOwners(l.c.Dir); err != nil {
		return err
	}
	next := l.state.record
	next.Head = l.reached()
	if time.Since(l.state.renewed) >= renewEvery {
		return l.keepRecord(ctx, next, l.state.revision)
	}
	if next.Head == l.state.record.Head {
		return nil
	}
	revision, err := l.now().writeRecord(ctx, next, l.state.revision)
	if errors.Is(err, errRaced) { // Nobody else writes it.
		l.giveUp("its files were changed under the broker")
		return nil
	}
	if err == nil {
		l.state.record, l.state.revision = next, revision
	}
	return err
}

// tendShared keeps the record of an external log, and looks whether another
// broker has given it a new epoch, or whether it went back.
func (l *Log) tendShared(ctx context.Context) error {
	r, revision, err := l.now().readRecord(ctx)
	if err != nil {
		return err
	}
	if r.Epoch != l.epoch {
		l.giveUp("it was given another epoch")
		return nil
	}
	b, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	head := l.reached()
	if b.Last < head {
		// One look proves nothing: a server of the cluster may lag.
		if l.state.behind || l.overtaken.Load() {
			l.giveUp("it ends before records that were in it")
		}
		l.state.behind = true
		return nil
	}
	l.state.behind = false
	if revision > 0 && r.Head >= head {
		return l.remember(head)
	}
	r.Head, r.Owner = head, l.c.Owner
	err = l.keepRecord(ctx, r, revision)
	if errors.Is(err, errRaced) { // The other broker's head is as good.
		return nil
	}
	return err
}

// remember stores the broker's notes about an external log when they changed.
func (l *Log) remember(head uint64) error {
	k := known{Log: l.now().first, Epoch: l.epoch, Head: head}
	if k == l.state.known {
		return nil
	}
	err := writeKnown(l.c, k)
	if err == nil {
		l.state.known = k
	}
	return err
}

// giveUp tells the owner of the log to open it again. Opening finds the new
// epoch.
func (l *Log) giveUp(reason string) {
	l.change.Do(func() {
		l.c.Logger.Warn("the log is not what it was: it is opened again", "reason", reason)
		if err := writeKnown(l.c, known{Log: l.now().first, Epoch: l.epoch, Head: l.reached()}); err != nil {
			l.c.Logger.Error("what is known of the log could not be kept", "error", err)
		}
		close(l.changed)
	})
}

// gaveUp tells whether giveUp was called.
func (l *Log) gaveUp() bool {
	select {
	case <-l.changed:
		return true
	default:
		return false
	}
}

// leave keeps the record once more when the log is closed, so that a backup
// that is made now is known from the directory as it is used later.
func (l *Log) leave() {
	if l.Health() != nil || l.gaveUp() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	var err error
	if l.c.URL == "" {
		next := l.state.record
		next.Head = l.reached()
		err = l.keepRecord(ctx, next, l.state.revision)
	} else if l.now().conn.IsConnected() {
		err = l.tendShared(ctx)
	}
	if err != nil {
		l.c.Logger.Warn("the log's record of its epoch could not be kept", "error", err)
	}
}

// leaveTimeout bounds how long a stop waits for the last record.
const leaveTimeout = 2 * time.Second

// reached is the newest sequence that this process has heard of.
func (l *Log) reached() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// sweepMarkers removes the marks of keys that were deleted long ago, because
// servers keep the marks of earlier versions of the broker for good.
func (l *Log) sweepMarkers(ctx context.Context) {
	link := l.now()
	removed, err := link.sweepMarkers(ctx, time.Now().Add(-markerAge))
	switch {
	case err != nil && ctx.Err() == nil:
		l.c.Logger.Warn("marks of deleted keys could not be removed; the next start tries again", "error", err)
	case removed > 0:
		l.c.Logger.Info("marks of deleted keys were removed", "count", removed)
	}
}

// sweepMarkers removes the marks that are older than a time.
func (l *link) sweepMarkers(ctx context.Context, before time.Time) (removed int, err error) {
	watcher, err := l.bucket.WatchAll(ctx, jetstream.MetaOnly())
	if err != nil {
		return 0, err
	}
	old, err := oldMarkers(ctx, watcher.Updates(), before)
	if err = errors.Join(err, watcher.Stop()); err != nil || len(old) == 0 {
		return 0, err
	}
	stream, err := l.js.Stream(ctx, "KV_"+l.c.bucket())
	if err != nil {
		return 0, err
	}
	for i, entry := range old {
		// Up to the mark alone: the key may have got a value meanwhile.
		err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+l.c.bucket()+"."+entry.Key()),
			jetstream.WithPurgeSequence(entry.Revision()+1))
		if err != nil {
			return i, err
		}
	}
	return len(old), nil
}

// oldMarkers picks the marks from the first reports of a watcher: one for every
// present key, and then nil.
func oldMarkers(ctx context.Context, updates <-chan jetstream.KeyValueEntry,
	before time.Time) (old []jetstream.KeyValueEntry, err error) {
	for {
		select {
		case entry := <-updates:
			if entry == nil {
				return old, nil
			}
			if entry.Operation() != jetstream.KeyValuePut && entry.Created().Before(before) {
				old = append(old, entry)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
