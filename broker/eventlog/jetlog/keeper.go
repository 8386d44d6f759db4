package jetlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/datadir"
)

const (
	// epochRecordInterval is the time between two updates of the epoch record.
	epochRecordInterval = 10 * time.Second
	// witnessInterval is the time between two witnesses. When a backup of a
	// running broker is written over the present files, Open notices it if the
	// witness of the backup has been replaced since.
	witnessInterval = time.Hour
	// markerAge is the age at which nobody needs the marker of a deleted key any
	// more.
	markerAge = time.Hour
)

// checkSoon asks the keeper to check the log. It never waits.
func (l *Log) checkSoon() {
	select {
	case l.checkRequests <- struct{}{}:
	default: // a request is waiting already
	}
}

// updateEpochRecord updates the epoch record when it is due, or in any case if
// atOnce is true. Only the keeper calls it.
func (l *Log) updateEpochRecord(ctx context.Context, atOnce bool) {
	if !atOnce && time.Since(l.kept.checked) < epochRecordInterval || l.Health() != nil || l.hasGivenUp() {
		return
	}
	l.kept.checked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	if l.config.URL == "" {
		err = l.updateEmbeddedEpochRecord(ctx)
	} else {
		err = l.updateExternalEpochRecord(ctx)
	}
	if err != nil && ctx.Err() == nil && !l.kept.failing {
		l.config.Logger.Warn("the log's record of its epoch could not be kept; trying again", "error", err)
	}
	l.kept.failing = err != nil
}

// updateEmbeddedEpochRecord updates the epoch record of an embedded log, which
// only this process writes.
func (l *Log) updateEmbeddedEpochRecord(ctx context.Context) error {
	if err := datadir.FixOwners(l.config.Dir); err != nil {
		return err
	}
	next := l.kept.record
	next.Head = l.knownHead()
	if time.Since(l.kept.witnessMade) >= witnessInterval {
		return l.keepEpochRecord(ctx, next, l.kept.revision)
	}
	if next.Head == l.kept.record.Head {
		return nil
	}
	revision, err := l.currentLink().writeEpochRecord(ctx, next, l.kept.revision)
	if errors.Is(err, errEpochRecordRace) { // another program changed the files
		l.giveUp("its files were changed under the broker")
		return nil
	}
	if err == nil {
		l.kept.record, l.kept.revision = next, revision
	}
	return err
}

// updateExternalEpochRecord updates the epoch record of an external log. It gives
// up the log when another broker has given it a new epoch, or when the log went
// back to an earlier state.
func (l *Log) updateExternalEpochRecord(ctx context.Context) error {
	r, revision, err := l.currentLink().readEpochRecord(ctx)
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
	head := l.knownHead()
	if b.Last < head {
		// A single check proves nothing, because a server of the cluster may lag.
		if l.kept.behind || l.numberReused.Load() {
			l.giveUp("it ends before records that were in it")
		}
		l.kept.behind = true
		return nil
	}
	l.kept.behind = false
	if revision > 0 && r.Head >= head {
		return l.keepNotes(head)
	}
	r.Head, r.Owner = head, l.config.Owner
	err = l.keepEpochRecord(ctx, r, revision)
	if errors.Is(err, errEpochRecordRace) { // the head of the other broker serves as well
		return nil
	}
	return err
}

// keepNotes stores the broker's notes about an external log if they changed.
func (l *Log) keepNotes(head uint64) error {
	n := notes{Log: l.currentLink().firstEpoch, Epoch: l.epoch, Head: head}
	if n == l.kept.notes {
		return nil
	}
	err := writeNotes(l.config, n)
	if err == nil {
		l.kept.notes = n
	}
	return err
}

// giveUp closes the channel of EpochChanged, so that the caller of Open closes the
// log and opens it again. Open then finds the new epoch.
func (l *Log) giveUp(reason string) {
	l.giveUpOnce.Do(func() {
		l.config.Logger.Warn("the log is not what it was: it is opened again", "reason", reason)
		n := notes{Log: l.currentLink().firstEpoch, Epoch: l.epoch, Head: l.knownHead()}
		if err := writeNotes(l.config, n); err != nil {
			l.config.Logger.Error("what is known of the log could not be kept", "error", err)
		}
		close(l.epochChanged)
	})
}

// hasGivenUp reports whether giveUp was called.
func (l *Log) hasGivenUp() bool {
	select {
	case <-l.epochChanged:
		return true
	default:
		return false
	}
}

// keepLastEpochRecord stores the epoch record once more when the log is closed. It
// lets Open distinguish a backup of the closed log from the data directory that
// the broker uses later.
func (l *Log) keepLastEpochRecord() {
	if l.Health() != nil || l.hasGivenUp() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastEpochRecordTimeout)
	defer cancel()
	var err error
	if l.config.URL == "" {
		next := l.kept.record
		next.Head = l.knownHead()
		err = l.keepEpochRecord(ctx, next, l.kept.revision)
	} else if l.currentLink().conn.IsConnected() {
		err = l.updateExternalEpochRecord(ctx)
	}
	if err != nil {
		l.config.Logger.Warn("the log's record of its epoch could not be kept", "error", err)
	}
}

// lastEpochRecordTimeout is how long Close waits for keepLastEpochRecord.
const lastEpochRecordTimeout = 2 * time.Second

// knownHead returns the newest number that this process has seen in the log.
func (l *Log) knownHead() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// sweepMarkers removes the markers of keys that were deleted long ago. A marker
// expires by itself, but those of earlier versions of the broker do not.
func (l *Log) sweepMarkers(ctx context.Context) {
	link := l.currentLink()
	removed, err := link.sweepMarkers(ctx, time.Now().Add(-markerAge))
	switch {
	case err != nil && ctx.Err() == nil:
		l.config.Logger.Warn("marks of deleted keys could not be removed; the next start tries again", "error", err)
	case removed > 0:
		l.config.Logger.Info("marks of deleted keys were removed", "count", removed)
	}
}

// sweepMarkers removes the markers that are older than a time.
func (l *link) sweepMarkers(ctx context.Context, before time.Time) (removed int, err error) {
	watcher, err := l.bucket.WatchAll(ctx, jetstream.MetaOnly())
	if err != nil {
		return 0, err
	}
	old, err := oldMarkers(ctx, watcher.Updates(), before)
	if err = errors.Join(err, watcher.Stop()); err != nil || len(old) == 0 {
		return 0, err
	}
	stream, err := l.js.Stream(ctx, "KV_"+l.config.bucketName())
	if err != nil {
		return 0, err
	}
	for i, entry := range old {
		// The purge ends with the marker, because the key may have got a new
		// value in the meantime.
		err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+l.config.bucketName()+"."+entry.Key()),
			jetstream.WithPurgeSequence(entry.Revision()+1))
		if err != nil {
			return i, err
		}
	}
	return len(old), nil
}

// oldMarkers returns the markers that are older than a time. It reads the first
// updates of a watcher: one for every key or marker, and then nil.
func oldMarkers(
	ctx context.Context, updates <-chan jetstream.KeyValueEntry, before time.Time,
) (old []jetstream.KeyValueEntry, err error) {
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
