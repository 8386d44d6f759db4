package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Receipt says where a published event is.
type Receipt struct {
	ID        string         `json:"id"`
	Cursor    wire.Cursor    `json:"cursor"`
	Duplicate bool           `json:"duplicate"`
	Warnings  []event.Remark `json:"warnings,omitempty"`
}

// Errors of Publish beside those of the log and *event.Problem.
var (
	// ErrForbidden: the grant may not publish the type.
	ErrForbidden = errors.New("hub: not allowed to publish this type")
	// ErrOwner: the entity belongs to another person.
	ErrOwner = errors.New("hub: the entity belongs to another person")
	// ErrNoEntity: EntityAt came with an event that changes no entity.
	ErrNoEntity = errors.New("hub: the event changes no entity")
)

// A Moved error says that the entity has changed after the cursor that the
// publisher gave: Cursor is of its last change.
type Moved struct{ Cursor wire.Cursor }

func (m *Moved) Error() string { return "hub: the entity has moved to " + m.Cursor.String() }

// PublishOptions are what a publisher may ask for beside its event.
type PublishOptions struct {
	Strict   bool         // refuse unknown fields, require what is marked strict
	EntityAt *wire.Cursor // store only if the entity has not changed since; nil: in any case
}

// Publish validates one event, authorises it and stores it. It returns when
// the log has it and this hub has taken it, so that a snapshot or stream of
// the same hub shows it. An error means that nothing was stored, except
// eventlog.ErrUnavailable and an error of ctx: publishing again with the same
// id is safe then.
func (h *Hub) Publish(ctx context.Context, g access.Grant, raw []byte, o PublishOptions) (Receipt, error) {
	if err := h.awaitReady(ctx); err != nil {
		return Receipt{}, err // whom a thing belongs to is not known yet
	}
	p, err := h.prepareOne(g, raw, o)
	if err != nil {
		return Receipt{}, err
	}
	return h.store(ctx, p)
}

// prepareOne validates and authorises a single event.
func (h *Hub) prepareOne(g access.Grant, raw []byte, o PublishOptions) (publication, error) {
	p, err := prepare(g, raw, o.Strict || h.c.Strict, h.c.Currency)
	p.entityAt = o.EntityAt
	if err == nil && p.entityAt != nil && event.ThingKey(p.event) == "" {
		err = ErrNoEntity
	}
	if err != nil {
		h.c.Observer.Published(p.event.Type, resultOf(Receipt{}, err))
		return publication{}, err
	}
	return p, nil
}

// resultOf is how a publication went, for the Observer.
func resultOf(r Receipt, err error) string {
	var invalid *event.Problem
	var moved *Moved
	switch {
	case err == nil && r.Duplicate:
		return ResultDuplicate
	case err == nil:
		return ResultStored
	case errors.As(err, &invalid), errors.Is(err, ErrNoEntity):
		return ResultInvalid
	case errors.Is(err, ErrForbidden):
		return ResultForbidden
	case errors.Is(err, ErrOwner), errors.Is(err, eventlog.ErrConflict), errors.As(err, &moved):
		return ResultConflict
	}
	return ResultUnavailable
}

// A Partial error says that the log failed in the middle of a batch. What was
// stored before is in Stored; publishing the whole batch again completes it.
type Partial struct {
	Stored []Receipt
	Err    error
}

func (p *Partial) Error() string {
	return fmt.Sprintf("hub: %d stored, then: %v", len(p.Stored), p.Err)
}

// Unwrap returns why it stopped.
func (p *Partial) Unwrap() error { return p.Err }

// PublishBatch validates and authorises all events before it stores any, then
// stores them in their order. Pointers of a *event.Problem begin with the
// place of the event in the batch. The error is a *Partial once something was
// stored.
func (h *Hub) PublishBatch(ctx context.Context, g access.Grant, raws []json.RawMessage, strict bool) ([]Receipt, error) {
	if err := h.awaitReady(ctx); err != nil {
		return nil, err
	}
	prepared, err := h.prepareBatch(g, raws, strict)
	if err != nil {
		return nil, err
	}
	receipts := make([]Receipt, 0, len(prepared))
	for i, p := range prepared {
		r, err := h.store(ctx, p)
		if err != nil && i > 0 {
			return receipts, &Partial{receipts, err}
		}
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// prepareBatch validates and authorises all events of a batch.
func (h *Hub) prepareBatch(g access.Grant, raws []json.RawMessage, strict bool) ([]publication, error) {
	strict = strict || h.c.Strict
	prepared := make([]publication, len(raws))
	var refused event.Problem
	owned := map[string]event.Event{} // the last event of each thing in the batch
	for i, raw := range raws {
		p, err := prepare(g, raw, strict, h.c.Currency)
		if err == nil {
			err = h.keepOwners(owned, p.event)
		}
		if err != nil {
			h.c.Observer.Published(p.event.Type, resultOf(Receipt{}, err))
		}
		var problem *event.Problem
		switch {
		case errors.As(err, &problem):
			for _, f := range problem.Fields {
				f.Pointer = fmt.Sprintf("/%d%s", i, f.Pointer)
				refused.Fields = append(refused.Fields, f)
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		for n := range p.remarks {
			p.remarks[n].Pointer = fmt.Sprintf("/%d%s", i, p.remarks[n].Pointer)
		}
		prepared[i] = p
	}
	if len(refused.Fields) > 0 {
		return nil, &refused
	}
	return prepared, nil
}

// Check refuses what Publish and PublishBatch would refuse of every hub: what
// is not valid, or not for the grant. It needs no log.
func (h *Hub) Check(g access.Grant, raws []json.RawMessage, batch bool, o PublishOptions) error {
	if batch {
		_, err := h.prepareBatch(g, raws, o.Strict)
		return err
	}
	_, err := h.prepareOne(g, raws[0], o)
	return err
}

// A publication is an event that may be stored.
type publication struct {
	event    event.Event
	named    bool // the publisher gave the id
	digest   string
	remarks  []event.Remark
	entityAt *wire.Cursor
}

// prepare validates and authorises one event. With an error only the type may
// be used, where it is known.
func prepare(g access.Grant, raw []byte, strict bool, currency string) (publication, error) {
	now := time.Now()
	e, remarks, err := event.Parse(raw, event.Rules{Strict: strict, Currency: currency, Now: now})
	if err != nil {
		return publication{}, err
	}
	if !access.MayPublish(g, e.Type) {
		return publication{event: event.Event{Type: e.Type}}, fmt.Errorf("%w: %s", ErrForbidden, e.Type)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return publication{}, fmt.Errorf("hub: id: %w", err)
	}
	e.Actor = g.Actor()
	// The time is no part of the content where the broker sets it: a
	// repetition is the same event.
	digest := hash(string(e.AppendJSON(nil)))
	return publication{event: e.Stamp(id.String(), now), named: e.ID != "", digest: digest, remarks: remarks}, nil
}

// store puts one event into the log and waits until this hub has taken it.
func (h *Hub) store(ctx context.Context, p publication) (r Receipt, err error) {
	defer func() { h.c.Observer.Published(p.event.Type, resultOf(r, err)) }()
	e := p.event
	if key := event.ThingKey(e); key != "" {
		// From the checks until the hub has taken the event: two first events
		// of one thing must not name two owners, and nothing may come between
		// a look at the thing and its change.
		lock := h.locks.of(key)
		lock.Lock()
		defer lock.Unlock()
		if e, err = h.keepOwner(e); err != nil {
			return Receipt{}, err
		}
		p.event = e
		if before, err := h.keepUnmoved(ctx, p); err != nil {
			return Receipt{}, err
		} else if before != nil {
			before.Warnings = p.remarks
			return *before, nil
		}
	}
	ack, err := h.c.Log.Append(ctx, eventlog.Entry{
		Type: e.Type, Subject: e.Subject, Key: hash(e.Actor, e.Source, e.ID), Digest: p.digest, Body: e.AppendJSON(nil)})
	if err != nil {
		return Receipt{}, err
	}
	r = Receipt{e.ID, wire.Cursor{Epoch: h.c.Log.Epoch(), Seq: ack.Seq}, ack.Duplicate, p.remarks}
	// It is stored: that the hub lags is no failure of the publisher's.
	wait, cancel := context.WithTimeout(ctx, awaitPublished)
	defer cancel()
	_ = h.Await(wait, ack.Seq)
	return r, nil
}

// awaitPublished bounds how long an answer waits for this hub to catch up.
const awaitPublished = time.Second

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
