package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// PublishBatch validates, authorises and stores several events. It checks all
// events before it stores any, and then stores them together and in their order.
// It checks their ids and owners against the log, against each other, and against
// the events that this hub is storing at the same time.
//
// Pointers of an *event.Problem and of a *RefusedError begin with the index of
// the event in the batch. The error is a *PartialError when the log has stored
// some of the events, which only a log can do that does not always store a batch
// as a whole; see [eventlog.Log].
func (h *Hub) PublishBatch(
	ctx context.Context, g access.Grant, raws []json.RawMessage, strict bool,
) ([]Receipt, error) {
	if err := h.awaitReady(ctx); err != nil {
		return nil, err
	}
	batch, err := h.prepareBatch(g, raws, strict)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range batch {
		names = append(names, p.claimNames()...)
	}
	// The claims are held from the check against the log until the events are
	// stored and handled, so that no other event can come in between.
	release, err := h.claims.acquire(ctx, names...)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := h.checkOwners(ctx, batch); err != nil {
		h.config.Observer.Published(batch[0].event.Type, publishResult(Receipt{}, err))
		return nil, err
	}
	return h.storeBatch(ctx, batch)
}

// storeBatch stores the events of a batch in the log, and waits until this hub
// has handled them. The caller must hold their claims.
func (h *Hub) storeBatch(ctx context.Context, batch []publication) ([]Receipt, error) {
	entries := make([]eventlog.Entry, len(batch))
	for i, p := range batch {
		entries[i] = p.entry()
	}
	acks, err := h.config.Log.AppendBatch(ctx, entries)
	receipts := make([]Receipt, len(acks))
	var last uint64
	for i, ack := range acks {
		receipts[i], last = h.receipt(batch[i], ack), max(last, ack.Seq)
		h.config.Observer.Published(batch[i].event.Type, publishResult(receipts[i], nil))
	}
	if err == nil {
		h.awaitPublished(ctx, last)
		return receipts, nil
	}
	var conflict *eventlog.ConflictError
	if errors.As(err, &conflict) {
		var refused *RefusedError
		for _, i := range conflict.Indexes {
			refused = refused.addEvent(i, idConflict(eventlog.ErrConflict))
		}
		err = refused
	}
	h.config.Observer.Published(batch[len(acks)].event.Type, publishResult(Receipt{}, err))
	if len(receipts) > 0 {
		return receipts, &PartialError{receipts, err}
	}
	return nil, err
}

// prepareBatch validates and authorises all events of a batch, and refuses an
// id that two different events of the batch have.
func (h *Hub) prepareBatch(g access.Grant, raws []json.RawMessage, strict bool) ([]publication, error) {
	batch := make([]publication, len(raws))
	var invalid event.Problem
	var refused *RefusedError
	digests := map[string]string{} // digests of the events so far, by key
	for i, raw := range raws {
		p, err := h.prepare(g, raw, strict)
		if err == nil {
			if digest, found := digests[p.key]; found && digest != p.digest {
				err = idConflict(eventlog.ErrConflict)
			}
			digests[p.key] = p.digest
		}
		if err != nil {
			h.config.Observer.Published(p.event.Type, publishResult(Receipt{}, err))
		}
		var problem *event.Problem
		switch {
		case errors.As(err, &problem):
			for _, f := range problem.Fields {
				f.Pointer = fmt.Sprintf("/%d%s", i, f.Pointer)
				invalid.Fields = append(invalid.Fields, f)
			}
			continue
		case err != nil:
			refused = refused.addEvent(i, err)
			continue
		}
		for n := range p.warnings {
			p.warnings[n].Pointer = fmt.Sprintf("/%d%s", i, p.warnings[n].Pointer)
		}
		batch[i] = p
	}
	if len(invalid.Fields) > 0 {
		return nil, &invalid
	}
	return batch, refused.orNil()
}

// checkOwners refuses the events of a batch whose owners contradict the log. It
// waits until this hub has handled the log's head, so that events of other
// brokers count too. The caller must hold the claims of the batch.
func (h *Hub) checkOwners(ctx context.Context, batch []publication) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	if err := h.Await(ctx, bounds.Last); err != nil {
		return err
	}
	return h.inheritOwners(batch)
}
