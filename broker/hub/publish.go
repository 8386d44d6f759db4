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
	ID        string               `json:"id"`
	Cursor    wire.Cursor          `json:"cursor"`
	Duplicate bool                 `json:"duplicate"`
	Warnings  []event.FieldWarning `json:"warnings,omitempty"`
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

// A MovedError says that the entity has changed after the cursor that the
// publisher gave: Cursor is of its last change.
type MovedError struct{ Cursor wire.Cursor }

func (m *MovedError) Error() string { return "hub: the entity has moved to " + m.Cursor.String() }

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
	p, err := h.prepare(g, raw, o.Strict)
	p.entityAt = o.EntityAt
	if err == nil && p.entityAt != nil && event.ReusableEntityKey(p.event) == "" {
		err = ErrNoEntity
	}
	if err != nil {
		h.config.Observer.Published(p.event.Type, publishResult(Receipt{}, err))
		return publication{}, err
	}
	return p, nil
}

// resultOf is how a publication went, for the Observer.
func publishResult(r Receipt, err error) string {
	var invalid *event.Problem
	var moved *MovedError
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

// A PartialError says that the log failed in the middle of a batch. What was
// stored before is in Stored; publishing the whole batch again completes it.
type PartialError struct {
	Stored []Receipt
	Err    error
}

func (p *PartialError) Error() string {
	return fmt.Sprintf("hub: %d stored, then: %v", len(p.Stored), p.Err)
}

// Unwrap returns why it stopped.
func (p *PartialError) Unwrap() error { return p.Err }

// Check refuses what Publish and PublishBatch would refuse of every hub: what
// is not valid, or not for the grant. It needs no log.
func (h *Hub) Check(g access.Grant, raws []json.RawMessage, batch bool, o PublishOptions) error {
	if batch {
		prepared, err := h.prepareBatch(g, raws, o.Strict)
		if err != nil {
			return err
		}
		return h.inheritOwners(prepared)
	}
	_, err := h.prepareOne(g, raws[0], o)
	return err
}

// A publication is an event that may be stored.
type publication struct {
	event    event.Event
	hasID    bool   // the publisher gave the id
	key      string // of the log, for deduplication
	digest   string
	remarks  []event.FieldWarning
	entityAt *wire.Cursor
}

// claims returns the names that no other caller may hold while the hub judges and
// stores the event: its id, and the entity that it changes.
func (p publication) claimNames() []string {
	names := []string{"id " + p.key}
	if key := event.ReusableEntityKey(p.event); key != "" {
		names = append(names, "entity "+key)
	}
	return names
}

// prepare validates and authorises one event. With an error only the type may
// be used, where it is known.
func (h *Hub) prepare(g access.Grant, raw []byte, strict bool) (publication, error) {
	now := h.now()
	rules := event.Rules{Strict: strict || h.config.Strict, Currency: h.config.Currency, Now: now}
	e, remarks, err := event.Parse(raw, rules)
	if err != nil {
		return publication{}, err
	}
	if !access.CanPublish(g, e.Type) {
		refused := refuse(ErrForbidden, "/type", "rule", "a type that you may publish")
		return publication{event: event.Event{Type: e.Type}}, refused
	}
	id, err := uuid.NewV7()
	if err != nil {
		return publication{}, fmt.Errorf("hub: id: %w", err)
	}
	e.Actor = g.Actor()
	// The time is no part of the content where the broker sets it: a
	// repetition is the same event.
	digest, named := hash(string(e.AppendJSON(nil))), e.ID != ""
	e = e.Stamp(id.String(), now)
	key := hash(e.Actor, e.Source, e.ID)
	return publication{event: e, hasID: named, key: key, digest: digest, remarks: remarks}, nil
}

// store puts one event into the log and waits until this hub has taken it.
func (h *Hub) store(ctx context.Context, p publication) (r Receipt, err error) {
	defer func() { h.config.Observer.Published(p.event.Type, publishResult(r, err)) }()
	// Publish holds the claims from the checks until the hub has handled the event.
	// Otherwise two first events of one entity could name two owners, or another
	// event could come between the check of an entity and its change.
	release, err := h.claims.acquire(ctx, p.claimNames()...)
	if err != nil {
		return Receipt{}, err
	}
	defer release()
	if p.event, err = inheritOwner(h.currentFields(p.event), p.event); err != nil {
		return Receipt{}, err
	}
	if before, err := h.checkUnmoved(ctx, p); err != nil {
		return Receipt{}, err
	} else if before != nil {
		before.Warnings = p.remarks
		return *before, nil
	}
	if r, err = h.append(ctx, p); err == nil {
		h.awaitPublished(ctx, r.Cursor.Seq)
	}
	return r, err
}

// append puts an event into the log.
func (h *Hub) append(ctx context.Context, p publication) (Receipt, error) {
	e := p.event
	ack, err := h.config.Log.Append(ctx, eventlog.Entry{
		Type: e.Type, Subject: e.Subject, Key: p.key, Digest: p.digest, Body: e.AppendJSON(nil)})
	if errors.Is(err, eventlog.ErrConflict) {
		return Receipt{}, idConflict(err)
	}
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{e.ID, wire.Cursor{Epoch: h.config.Log.Epoch(), Seq: ack.Seq}, ack.Duplicate, p.remarks}, nil
}

// publishedWithin bounds how long an answer waits for this hub to catch up.
const catchUpTimeout = time.Second

// awaitPublished waits, up to publishedWithin, until this hub has handled a stored
// event. A hub that lags does not fail the publication.
func (h *Hub) awaitPublished(ctx context.Context, seq uint64) {
	wait, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	_ = h.Await(wait, seq)
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
