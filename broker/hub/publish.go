package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Receipt describes a stored event.
type Receipt struct {
	// ID is the id of the event, given by the publisher or by the hub.
	ID string `json:"id"`
	// Cursor is the place of the event in the log.
	Cursor wire.Cursor `json:"cursor"`
	// Duplicate is true when the event was stored before, under the same id.
	Duplicate bool `json:"duplicate"`
	// Warnings name the fields for which strict mode would refuse the event.
	Warnings []event.FieldWarning `json:"warnings,omitempty"`
}

// Errors of Publish and PublishBatch. The methods also return *event.Problem,
// *MovedError, *PartialError and errors of the log. Errors that concern fields
// are wrapped in a *RefusedError.
var (
	// ErrForbidden means that the grant may not publish events of the type.
	ErrForbidden = errors.New("hub: not allowed to publish this type")
	// ErrOwner means that the entity belongs to another person.
	ErrOwner = errors.New("hub: the entity belongs to another person")
	// ErrNoEntity means that PublishOptions.EntityAt was set for an event that
	// changes no entity.
	ErrNoEntity = errors.New("hub: the event changes no entity")
)

// A MovedError means that the entity has changed after the cursor
// PublishOptions.EntityAt. Cursor is the entity's last change, or the end of the
// log when the log has not reached EntityAt.
type MovedError struct{ Cursor wire.Cursor }

// Error implements error.
func (m *MovedError) Error() string { return "hub: the entity has moved to " + m.Cursor.String() }

// PublishOptions holds options of a publication. The zero value is valid.
type PublishOptions struct {
	// Strict refuses an event that would otherwise be stored with warnings,
	// such as one with unknown fields. It also requires the fields that are
	// required in strict mode only.
	Strict bool
	// EntityAt stores the event only if its entity has not changed after this
	// cursor. nil disables the check.
	EntityAt *wire.Cursor
}

// Publish validates, authorises and stores one event. It returns when the event
// is in the log and this hub has handled it, so that snapshots and streams of
// this hub show the event. Once the event is stored, Publish waits at most a
// second for the hub to handle it.
//
// An error means that nothing was stored. Exceptions are
// eventlog.ErrUnavailable and an error of ctx: then the event may be stored, and
// the caller may safely publish it again with the same id.
func (h *Hub) Publish(ctx context.Context, g access.Grant, raw []byte, o PublishOptions) (Receipt, error) {
	if err := h.awaitReady(ctx); err != nil {
		return Receipt{}, err // entity owners are unknown until the state has caught up
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

// publishResult returns the result of a publication, one of the Result
// constants.
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

// A PartialError means that storing a batch failed after some of its events
// were stored. The publisher may publish the whole batch again, which stores
// the rest.
type PartialError struct {
	// Stored holds the receipts of the stored events, in the order of the batch.
	Stored []Receipt
	// Err is the reason why the next event was not stored.
	Err error
}

// Error implements error.
func (p *PartialError) Error() string {
	return fmt.Sprintf("hub: %d stored, then: %v", len(p.Stored), p.Err)
}

// Unwrap returns Err.
func (p *PartialError) Unwrap() error { return p.Err }

// Check returns the error that Publish, or PublishBatch if batch is true, would
// return from any hub: events that are not valid, or that the grant may not
// publish. It neither reads nor writes the log. raws has one event unless batch
// is true.
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

// A publication is a valid event that its publisher may publish.
type publication struct {
	event    event.Event
	hasID    bool                 // true when the publisher gave the id
	key      string               // key of the log entry, for deduplication
	digest   string               // digest of the content
	warnings []event.FieldWarning // for the receipt
	entityAt *wire.Cursor         // PublishOptions.EntityAt
}

// claimNames returns the names of the claims that the hub must hold while it
// checks and stores the event: one for its id, and one for the entity that it
// changes.
func (p publication) claimNames() []string {
	names := []string{"id " + p.key}
	if key := event.ReusableEntityKey(p.event); key != "" {
		names = append(names, "entity "+key)
	}
	return names
}

// prepare validates and authorises one event. When it returns an error, the
// publication holds at most the type of the event.
func (h *Hub) prepare(g access.Grant, raw []byte, strict bool) (publication, error) {
	now := h.now()
	rules := event.Rules{Strict: strict || h.config.Strict, Currency: h.config.Currency, Now: now}
	e, warnings, err := event.Parse(raw, rules)
	if err != nil {
		return publication{}, err
	}
	if !access.CanPublish(g, e.Type) {
		refused := refuse(ErrForbidden, "/type", "rule", "a type that you may publish")
		return publication{event: event.Event{Type: e.Type}}, refused
	}
	e.Actor = g.Actor()
	// The digest is computed before Stamp sets the time, because a repetition
	// gets another time but is the same event.
	digest, hasID, newID := hash(string(e.AppendJSON(nil))), e.ID != "", ""
	if !hasID {
		id, err := uuid.NewV7()
		if err != nil {
			return publication{}, fmt.Errorf("hub: id: %w", err)
		}
		newID = id.String()
	}
	e = e.Stamp(newID, now)
	key := hash(e.Actor, e.Source, e.ID)
	return publication{event: e, hasID: hasID, key: key, digest: digest, warnings: warnings}, nil
}

// store checks one event against the state, stores it in the log, and waits
// until this hub has handled it.
func (h *Hub) store(ctx context.Context, p publication) (r Receipt, err error) {
	defer func() { h.config.Observer.Published(p.event.Type, publishResult(r, err)) }()
	// The claims are held from the checks until the hub has handled the event.
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
	if stored, err := h.checkUnmoved(ctx, p); err != nil {
		return Receipt{}, err
	} else if stored != nil {
		stored.Warnings = p.warnings
		return *stored, nil
	}
	if r, err = h.append(ctx, p); err == nil {
		h.awaitPublished(ctx, r.Cursor.Seq)
	}
	return r, err
}

// append stores an event in the log. The caller must hold its claims.
func (h *Hub) append(ctx context.Context, p publication) (Receipt, error) {
	ack, err := h.config.Log.Append(ctx, p.entry())
	if errors.Is(err, eventlog.ErrConflict) {
		return Receipt{}, idConflict(err)
	}
	if err != nil {
		return Receipt{}, err
	}
	return h.receipt(p, ack), nil
}

// entry returns the entry of the log that holds the event.
func (p publication) entry() eventlog.Entry {
	return eventlog.Entry{
		Type:    p.event.Type,
		Subject: p.event.Subject,
		Key:     p.key,
		Digest:  p.digest,
		Body:    p.event.AppendJSON(nil),
		Value:   p.event,
	}
}

// receipt returns the receipt of an event that the log has stored.
func (h *Hub) receipt(p publication, ack eventlog.Ack) Receipt {
	return Receipt{
		ID:        p.event.ID,
		Cursor:    wire.Cursor{Epoch: h.config.Log.Epoch(), Seq: ack.Seq},
		Duplicate: ack.Duplicate,
		Warnings:  p.warnings,
	}
}

// catchUpTimeout is the time that a publication waits for this hub to handle
// the stored event.
const catchUpTimeout = time.Second

// awaitPublished waits up to catchUpTimeout until this hub has handled a stored
// event. It returns no error, because the event is stored even if the hub lags.
func (h *Hub) awaitPublished(ctx context.Context, seq uint64) {
	if h.head().Seq >= seq {
		return // the usual case needs no timer
	}
	wait, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	_ = h.Await(wait, seq)
}

// hash returns a SHA-256 of the parts and their lengths, in hexadecimal.
func hash(parts ...string) string {
	var space [1024]byte // most events fit
	b := space[:0]
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
