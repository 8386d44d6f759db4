package eventlog

import (
	"context"
	"errors"
	"fmt"
)

// A ConflictError means that entries of a batch have the keys of other entries.
// It wraps ErrConflict.
type ConflictError struct {
	// Indexes are the places of these entries in the batch, in order.
	Indexes []int
}

// Error implements error.
func (c *ConflictError) Error() string { return fmt.Sprintf("%v: entries %v", ErrConflict, c.Indexes) }

// Unwrap returns ErrConflict.
func (c *ConflictError) Unwrap() error { return ErrConflict }

// A Batch holds the entries of one call of AppendBatch while a log stores them.
// It is for implementations of Log.
type Batch struct {
	// Entries are all entries of the call.
	Entries []Entry
	// New are the indexes of the entries that the log must store.
	New []int

	acks    []Ack
	repeats map[int]int // earlier entry of the batch by the index of its repetition
}

// NewBatch separates the entries that are stored already from those that are
// not. find returns the number of the record that has the entry's key, and 0 when
// there is none. It returns ErrConflict when the record has another digest. The
// error is a *ConflictError, or another error of find.
func NewBatch(entries []Entry, find func(Entry) (seq uint64, err error)) (*Batch, error) {
	b := &Batch{Entries: entries, New: make([]int, 0, len(entries)), acks: make([]Ack, len(entries))}
	var first map[string]int // index of the first entry with a key
	if len(entries) > 1 {
		first, b.repeats = make(map[string]int, len(entries)), map[int]int{}
	}
	var conflicts []int
	for i, e := range entries {
		if earlier, found := first[e.Key]; found {
			if b.repeats[i] = earlier; e.Digest != entries[earlier].Digest {
				conflicts = append(conflicts, i)
			}
			continue
		}
		if first != nil {
			first[e.Key] = i
		}
		switch seq, err := find(e); {
		case errors.Is(err, ErrConflict):
			conflicts = append(conflicts, i)
		case err != nil:
			return nil, err
		case seq > 0:
			b.acks[i] = Ack{Seq: seq, Duplicate: true}
		default:
			b.New = append(b.New, i)
		}
	}
	if len(conflicts) > 0 {
		return nil, &ConflictError{conflicts}
	}
	return b, nil
}

// Acks returns the answers to all entries after the log has stored the new ones
// under the numbers from firstNew on.
func (b *Batch) Acks(firstNew uint64) []Ack {
	for n, i := range b.New {
		b.acks[i] = Ack{Seq: firstNew + uint64(n)}
	}
	for i, earlier := range b.repeats {
		b.acks[i] = Ack{Seq: b.acks[earlier].Seq, Duplicate: true}
	}
	return b.acks
}

// AppendInTurn implements Log.AppendBatch by a function like Log.Append, for a
// log that cannot store a batch as a whole.
func AppendInTurn(
	ctx context.Context, appendOne func(context.Context, Entry) (Ack, error), entries []Entry,
) (acks []Ack, err error) {
	for i, e := range entries {
		ack, err := appendOne(ctx, e)
		if errors.Is(err, ErrConflict) {
			err = &ConflictError{[]int{i}}
		}
		if err != nil {
			return acks, err
		}
		acks = append(acks, ack)
	}
	return acks, nil
}

// SingleAck returns the result of an append of one entry, from that of a batch with
// this entry alone. The error of a conflict is ErrConflict itself, because there is
// no other entry that it could name.
func SingleAck(acks []Ack, err error) (Ack, error) {
	if errors.Is(err, ErrConflict) {
		return Ack{}, ErrConflict
	}
	if err != nil {
		return Ack{}, err
	}
	return acks[0], nil
}
