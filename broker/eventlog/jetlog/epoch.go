package jetlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/wire"
)

// epochRecordKey is the key of the epoch record in the store.
const epochRecordKey = "epoch"

// maxAncestors is the number of earlier epochs that an epoch record names. Older
// ones are of no use, because the hub stores its state under the present epoch within
// seconds.
const maxAncestors = 16

// An epochRecord is stored under epochRecordKey. It holds the epoch of the log,
// and all data by which Open notices that the log was put back to an earlier
// state. They are one value, so that a crash leaves either the old epoch or the
// new one. If it leaves the old epoch, the next start notices the same again.
type epochRecord struct {
	// Epoch is the present epoch.
	Epoch string `json:"epoch"`
	// Ancestors are earlier epochs, newest first.
	Ancestors []eventlog.Ancestor `json:"ancestors,omitempty"`
	// Head is a number that the log has reached. It is at most
	// epochRecordInterval old while the broker runs.
	Head uint64 `json:"head"`
	// Witness is a file of the data directory. It is nil for an external log.
	Witness *datadir.Witness `json:"witness,omitempty"`
	// Owner is Config.Owner. It is empty for an embedded log.
	Owner string `json:"owner,omitempty"`
}

// branch returns the epoch record of a log that continues after the number
// through under a new epoch.
func (r epochRecord) branch(epoch string, through uint64) epochRecord {
	ancestors := []eventlog.Ancestor{{Epoch: r.Epoch, Through: through}}
	for _, a := range r.Ancestors {
		if len(ancestors) < maxAncestors {
			ancestors = append(ancestors, eventlog.Ancestor{Epoch: a.Epoch, Through: min(a.Through, through)})
		}
	}
	r.Epoch, r.Ancestors, r.Head = epoch, ancestors, through
	return r
}

// descendsFrom reports whether an epoch is the record's epoch or an ancestor.
func (r epochRecord) descendsFrom(epoch string) bool {
	if r.Epoch == epoch {
		return true
	}
	for _, a := range r.Ancestors {
		if a.Epoch == epoch {
			return true
		}
	}
	return false
}

// A keptEpochRecord is the epoch record as this process has last stored it, with
// the state of the keeper.
type keptEpochRecord struct {
	record      epochRecord
	revision    uint64    // revision of the record in the store; 0 when there is none
	checked     time.Time // last time that the keeper checked the record
	witnessMade time.Time // time when the witness was made
	behind      bool      // true when the log ended before the known head at the last check
	failing     bool      // true when the last update failed, which was logged
	notes       notes     // notes as the data directory has them
}

// readEpochRecord returns the epoch record of the store. When there is none it
// returns that of a new log, with revision 0.
func (l *link) readEpochRecord(ctx context.Context) (r epochRecord, revision uint64, err error) {
	entry, err := l.bucket.Get(ctx, epochRecordKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return epochRecord{Epoch: l.firstEpoch}, 0, nil
	}
	if err != nil {
		return r, 0, unavailable(err)
	}
	if err := json.Unmarshal(entry.Value(), &r); err != nil || !wire.ValidEpoch(r.Epoch) {
		return r, 0, fmt.Errorf("jetlog: the log's record of its epoch is damaged: restore it from a backup")
	}
	return r, entry.Revision(), nil
}

// errEpochRecordRace means that another broker wrote the epoch record first.
var errEpochRecordRace = errors.New("jetlog: another broker wrote the record")

// writeEpochRecord stores an epoch record in place of the one with the revision
// before. 0 means that there was none.
func (l *link) writeEpochRecord(ctx context.Context, r epochRecord, before uint64) (revision uint64, err error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("jetlog: record: %w", err)
	}
	if before == 0 {
		revision, err = l.bucket.Create(ctx, epochRecordKey, raw)
	} else {
		revision, err = l.bucket.Update(ctx, epochRecordKey, raw, before)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, errEpochRecordRace
	}
	return revision, unavailable(err)
}

// findEpoch sets the epoch of a log that Open has just opened. It gives the log
// a new epoch when the log, or a part of it, was put back from a backup.
func (l *Log) findEpoch(ctx context.Context) error {
	n, err := readNotes(l.config)
	if err != nil {
		return err
	}
	for {
		if err := l.findEpochOnce(ctx, n); !errors.Is(err, errEpochRecordRace) {
			return err
		}
	}
}

// findEpochOnce is one attempt of findEpoch. The error is errEpochRecordRace when
// another broker wrote the epoch record in the meantime.
func (l *Log) findEpochOnce(ctx context.Context, n notes) error {
	r, revision, err := l.link.readEpochRecord(ctx)
	if err != nil {
		return err
	}
	if err := l.checkOwner(r, n); err != nil {
		return err
	}
	b, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	reason, err := l.reasonForNewEpoch(r, revision, n, b.Last)
	if err != nil {
		return err
	}
	next := r
	next.Owner = l.config.Owner
	if reason != "" {
		next = next.branch(newEpoch(), b.Last)
	}
	next.Head = b.Last
	err = l.keepEpochRecord(ctx, next, revision)
	if err != nil && reason == "" && !errors.Is(err, errEpochRecordRace) {
		// The write may have failed for lack of room. The old record is still right.
		l.config.Logger.Warn("the log's record of its epoch could not be renewed", "error", err)
		l.kept = keptEpochRecord{record: r, revision: revision}
		err = nil
	}
	if err != nil {
		return err
	}
	l.epoch, l.ancestors = l.kept.record.Epoch, l.kept.record.Ancestors
	l.noteHead(b.Last)
	if reason != "" {
		l.config.Logger.Warn("the log goes on under a new epoch: readers are told of a gap and take the state anew",
			"reason", reason, "epoch", l.epoch, "before", r.Epoch, "last", b.Last)
	}
	return nil
}

// reasonForNewEpoch returns the reason why the log may lack records that readers
// have seen, or "" when it cannot lack any.
func (l *Log) reasonForNewEpoch(r epochRecord, revision uint64, n notes, last uint64) (reason string, err error) {
	lost := l.lostPart(r, last)
	switch {
	case l.config.NewEpoch:
		if lost != "" { // the operator must learn that the restored backup is incomplete
			l.config.Logger.Error("a part of the log is missing", "reason", lost)
		}
		return "it was asked for", nil
	case lost != "":
		return lost, nil
	case l.config.URL != "":
		return n.contradictedBy(l.link.firstEpoch, r, last), nil
	case revision == 0:
		return "", nil // the log is from a version without such records
	case r.Witness == nil:
		return "the log was kept by another server before", nil
	}
	found, err := r.Witness.IsIn(l.config.Dir)
	if err != nil {
		return "", datadir.Explain(l.config.Dir, err)
	}
	if !found {
		return fmt.Sprintf("the data directory, or a part of it, is a copy: "+
			"%s has not the file that the log knows (%s)", l.config.Dir, r.Witness.Name), nil
	}
	return "", nil
}

// lostPart returns a text about the part of the log that is missing according to
// the other parts, or "" when none is missing.
func (l *Log) lostPart(r epochRecord, last uint64) string {
	switch {
	case l.link.storeLost:
		return "the log has records, and the store beside it is gone"
	case last < r.Head:
		return fmt.Sprintf("the log ends at %d and has been at %d: it was put back from a backup", last, r.Head)
	}
	return ""
}

// keepEpochRecord stores an epoch record, and updates the data directory to match
// it: by a new witness for an embedded log, and by notes for an external one.
func (l *Log) keepEpochRecord(ctx context.Context, next epochRecord, revision uint64) error {
	now := time.Now()
	if l.config.URL == "" {
		w, err := datadir.NewWitness(l.config.Dir)
		if err != nil {
			return err
		}
		next.Witness = &w
	}
	revision, err := l.currentLink().writeEpochRecord(ctx, next, revision)
	if err != nil {
		return err
	}
	l.kept = keptEpochRecord{record: next, revision: revision, checked: now, witnessMade: now}
	if l.config.URL == "" {
		err = datadir.RemoveOtherWitnesses(l.config.Dir, *next.Witness)
	} else {
		err = writeNotes(l.config, notes{Log: l.currentLink().firstEpoch, Epoch: next.Epoch, Head: next.Head})
	}
	if err != nil { // no error of keepEpochRecord: the epoch record is stored, and the next call tries again
		l.config.Logger.Warn("the data directory could not be brought in line with the log", "error", err)
	}
	return nil
}
