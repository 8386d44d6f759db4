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

// PublishBatch checks all events before it stores any, also their ids and
// owners against the log, against each other and against what this hub stores
// at the same time; then it stores them in their order. Pointers of an
// *event.Problem and of a *RefusedError begin with the place of the event in the
// batch. The error is a *PartialError once something was stored: the log broke off,
// or another broker on the same log stored an event with one of the ids in
// between.
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
	release, err := h.claims.acquire(ctx, names...)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := h.checkAgainstLog(ctx, batch); err != nil {
		h.config.Observer.Published(batch[0].event.Type, publishResult(Receipt{}, err))
		return nil, err
	}
	return h.storeBatch(ctx, batch)
}

// storeBatch puts the events of a batch into the log.
func (h *Hub) storeBatch(ctx context.Context, batch []publication) ([]Receipt, error) {
	receipts := make([]Receipt, 0, len(batch))
	var last uint64
	for i, p := range batch {
		r, err := h.append(ctx, p)
		h.config.Observer.Published(p.event.Type, publishResult(r, err))
		if errors.Is(err, eventlog.ErrConflict) {
			err = (*RefusedError)(nil).addEvent(i, err)
		}
		if err != nil && i > 0 {
			return receipts, &PartialError{receipts, err}
		}
		if err != nil {
			return nil, err
		}
		receipts, last = append(receipts, r), max(last, r.Cursor.Seq)
	}
	h.awaitPublished(ctx, last)
	return receipts, nil
}

// prepareBatch validates and authorises all events of a batch, and holds their
// ids against each other.
func (h *Hub) prepareBatch(g access.Grant, raws []json.RawMessage, strict bool) ([]publication, error) {
	batch := make([]publication, len(raws))
	var invalid event.Problem
	var refused *RefusedError
	digests := map[string]string{} // by key
	for i, raw := range raws {
		p, err := h.prepare(g, raw, strict)
		if err == nil {
			if digest, twice := digests[p.key]; twice && digest != p.digest {
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
		for n := range p.remarks {
			p.remarks[n].Pointer = fmt.Sprintf("/%d%s", i, p.remarks[n].Pointer)
		}
		batch[i] = p
	}
	if len(invalid.Fields) > 0 {
		return nil, &invalid
	}
	return batch, refused.orNil()
}

// judge holds a batch against the log. The caller must hold its claims. It
// looks at the log's head, so that what other brokers stored counts too.
func (h *Hub) checkAgainstLog(ctx context.Context, batch []publication) error {
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	if err := h.Await(ctx, bounds.Last); err != nil {
		return err
	}
	if err := h.inheritOwners(batch); err != nil {
		return err
	}
	now := h.now()
	if err := h.ids.load(ctx, h.config.Log, now); err != nil {
		return err
	}
	var refused *RefusedError
	for i, p := range batch {
		if p.hasID && h.ids.conflicts(p.key, p.digest, now) {
			refused = refused.addEvent(i, idConflict(eventlog.ErrConflict))
		}
	}
	return refused.orNil()
}
