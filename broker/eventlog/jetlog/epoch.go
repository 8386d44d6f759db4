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

// The epoch lies in the store, in one value with all that is needed to notice
// that the log was put back to an earlier state. One write changes them
// together, so a crash leaves the old epoch with what will be noticed again, or
// the new one.

// recordKey is where the store has the record.
const recordKey = "epoch"

// maxAncestors is how many earlier epochs a record names. The state is stored
// under the newest within seconds, so older ones are of no use.
const maxAncestors = 16

// A record holds the knowledge of the store about the log.
type record struct {
	Epoch     string              `json:"epoch"`
	Ancestors []eventlog.Ancestor `json:"ancestors,omitempty"` // newest first
	// Head is a sequence that the log has reached, at most recordEvery old.
	Head uint64 `json:"head"`
	// Witness is a file of the data directory, in an embedded log.
	Witness *datadir.Witness `json:"witness,omitempty"`
	// Owner is Config.Owner, in an external log.
	Owner string `json:"owner,omitempty"`
}

// branch returns the record of a log that goes on under a new epoch after a
// sequence.
func (r record) branch(epoch string, through uint64) record {
	ancestors := []eventlog.Ancestor{{Epoch: r.Epoch, Through: through}}
	for _, a := range r.Ancestors {
		if len(ancestors) < maxAncestors {
			ancestors = append(ancestors, eventlog.Ancestor{Epoch: a.Epoch, Through: min(a.Through, through)})
		}
	}
	r.Epoch, r.Ancestors, r.Head = epoch, ancestors, through
	return r
}

// descendsFrom tells whether the record's epoch is another one or a later one.
func (r record) descendsFrom(epoch string) bool {
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

// keptState holds the keeper's knowledge about the record.
type keptState struct {
	record   record
	revision uint64    // of the record in the store, 0 where there is none
	checked  time.Time // when the keeper looked at the record last
	renewed  time.Time // when the witness was made
	behind   bool      // the log ended before its known head at the last look
	failing  bool      // the last try to keep the record failed, and was logged
	known    known     // as the data directory has it
}

// readRecord returns the record of the store. Its revision is 0 where there is
// none.
func (l *link) readRecord(ctx context.Context) (r record, revision uint64, err error) {
	entry, err := l.bucket.Get(ctx, recordKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record{Epoch: l.first}, 0, nil
	}
	if err != nil {
		return r, 0, unavailable(err)
	}
	if err := json.Unmarshal(entry.Value(), &r); err != nil || !wire.ValidEpoch(r.Epoch) {
		return r, 0, fmt.Errorf("jetlog: the log's record of its epoch is damaged: restore it from a backup")
	}
	return r, entry.Revision(), nil
}

// errRaced means that another broker wrote the record first.
var errRaced = errors.New("jetlog: another broker wrote the record")

// writeRecord stores a record in place of the one with a revision.
func (l *link) writeRecord(ctx context.Context, r record, before uint64) (revision uint64, err error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("jetlog: record: %w", err)
	}
	if before == 0 {
		revision, err = l.bucket.Create(ctx, recordKey, raw)
	} else {
		revision, err = l.bucket.Update(ctx, recordKey, raw, before)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, errRaced
	}
	return revision, unavailable(err)
}

// settle finds the epoch of a log that was just opened, and gives it a new one
// where the log, or a part of it, was put back from a backup.
func (l *Log) settle(ctx context.Context) error {
	known, err := readKnown(l.c)
	if err != nil {
		return err
	}
	for {
		if err := l.settleOnce(ctx, known); !errors.Is(err, errRaced) {
			return err
		}
	}
}

func (l *Log) settleOnce(ctx context.Context, known known) error {
	r, revision, err := l.link.readRecord(ctx)
	if err != nil {
		return err
	}
	if err := l.checkOwner(r, known); err != nil {
		return err
	}
	b, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	reason, err := l.wentBack(r, revision, known, b.Last)
	if err != nil {
		return err
	}
	next := r
	next.Owner = l.c.Owner
	if reason != "" {
		next = next.branch(newEpoch(), b.Last)
	}
	next.Head = b.Last
	err = l.keepRecord(ctx, next, revision)
	if err != nil && reason == "" && !errors.Is(err, errRaced) {
		// The write may fail for lack of room. The present record is still true.
		l.c.Logger.Warn("the log's record of its epoch could not be renewed", "error", err)
		l.state = keptState{record: r, revision: revision}
		err = nil
	}
	if err != nil {
		return err
	}
	l.epoch, l.ancestors = l.state.record.Epoch, l.state.record.Ancestors
	l.hear(b.Last)
	if reason != "" {
		l.c.Logger.Warn("the log goes on under a new epoch: readers are told of a gap and take the state anew",
			"reason", reason, "epoch", l.epoch, "before", r.Epoch, "last", b.Last)
	}
	return nil
}

// wentBack returns the reason why the log may lack records that readers have
// seen, or "" when there is none.
func (l *Log) wentBack(r record, revision uint64, known known, last uint64) (reason string, err error) {
	lost := l.lostPart(r, last)
	switch {
	case l.c.NewEpoch:
		if lost != "" { // Of a backup, somebody should hear that it is not whole.
			l.c.Logger.Error("a part of the log is missing", "reason", lost)
		}
		return "it was asked for", nil
	case lost != "":
		return lost, nil
	case l.c.URL != "":
		return known.contradictedBy(l.link.first, r, last), nil
	case revision == 0:
		return "", nil // The log is from a version without such records.
	case r.Witness == nil:
		return "the log was kept by another server before", nil
	}
	there, err := r.Witness.IsIn(l.c.Dir)
	if err != nil {
		return "", datadir.Explain(l.c.Dir, err)
	}
	if !there {
		return fmt.Sprintf("the data directory, or a part of it, is a copy: %s has not the file that the log knows "+
			"(%s)",
			l.c.Dir, r.Witness.Name), nil
	}
	return "", nil
}

// lostPart tells which part of the log is missing by what the rest of it says,
// or "".
func (l *Log) lostPart(r record, last uint64) string {
	switch {
	case l.link.storeLost:
		return "the log has records, and the store beside it is gone"
	case last < r.Head:
		return fmt.Sprintf("the log ends at %d and has been at %d: it was put back from a backup", last, r.Head)
	}
	return ""
}

// keepRecord stores a record, with a new witness in an embedded log.
func (l *Log) keepRecord(ctx context.Context, next record, revision uint64) error {
	now := time.Now()
	if l.c.URL == "" {
		w, err := datadir.NewWitness(l.c.Dir)
		if err != nil {
			return err
		}
		next.Witness = &w
	}
	revision, err := l.now().writeRecord(ctx, next, revision)
	if err != nil {
		return err
	}
	l.state = keptState{record: next, revision: revision, checked: now, renewed: now}
	if l.c.URL == "" {
		err = datadir.RemoveOtherWitnesses(l.c.Dir, *next.Witness)
	} else {
		err = writeKnown(l.c, known{Log: l.now().first, Epoch: next.Epoch, Head: next.Head})
	}
	if err != nil { // The record is stored, and the next one tries again.
		l.c.Logger.Warn("the data directory could not be brought in line with the log", "error", err)
	}
	return nil
}
