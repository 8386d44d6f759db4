package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
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
)

// Publish validates one event, authorises it and stores it. It returns when
// the log has it and this hub has taken it, so that a snapshot or stream of
// the same hub shows it. An error means that nothing was stored, except
// eventlog.ErrUnavailable and an error of ctx: publishing again with the same
// id is safe then.
func (h *Hub) Publish(ctx context.Context, g access.Grant, raw []byte, strict bool) (Receipt, error) {
	if err := h.awaitReady(ctx); err != nil {
		return Receipt{}, err // whom a thing belongs to is not known yet
	}
	e, remarks, err := event.Parse(raw, strict)
	if err != nil {
		return Receipt{}, err
	}
	if !access.MayPublish(g, e.Type) {
		return Receipt{}, fmt.Errorf("%w: %s", ErrForbidden, e.Type)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Receipt{}, fmt.Errorf("hub: id: %w", err)
	}
	e.Actor = g.Actor()
	// The time is no part of the content where the broker sets it: a
	// repetition is the same event.
	digest := hash(string(e.AppendJSON(nil)))
	e = e.Stamp(id.String(), time.Now())
	if len(ownerFields(e.Type)) > 0 {
		// From the check until the hub has taken the event: two first events
		// of one thing must not name two owners.
		lock := h.owners.of(event.EntityKey(e))
		lock.Lock()
		defer lock.Unlock()
		if e, err = h.keepOwner(e); err != nil {
			return Receipt{}, err
		}
	}
	ack, err := h.c.Log.Append(ctx, eventlog.Entry{
		Type: e.Type, Subject: e.Subject, Key: hash(e.Actor, e.Source, e.ID), Digest: digest, Body: e.AppendJSON(nil)})
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{e.ID, wire.Cursor{Epoch: h.c.Log.Epoch(), Seq: ack.Seq}, ack.Duplicate, remarks}
	// It is stored: that the hub lags is no failure of the publisher's.
	wait, cancel := context.WithTimeout(ctx, awaitPublished)
	defer cancel()
	_ = h.Await(wait, ack.Seq)
	return receipt, nil
}

// awaitPublished bounds how long an answer waits for this hub to catch up.
const awaitPublished = time.Second

// keepOwner holds that sight of an entity never depends on a value that
// changes: the person whom it is about stays, and is named by every event.
func (h *Hub) keepOwner(e event.Event) (event.Event, error) {
	before := h.Entity(event.EntityKey(e))
	if before == nil {
		return e, nil
	}
	for _, name := range ownerFields(e.Type) {
		owner := before.Fields.Get(name)
		if owner != nil && !e.Data.Has(name) {
			e.Data = e.Data.With(name, owner)
		}
		// A thing that began without an owner stays without: what was said of
		// it before was not meant for one.
		if e.Data.Text(name) != before.Fields.Text(name) {
			return e, fmt.Errorf("%w: /data/%s", ErrOwner, name)
		}
	}
	return e, nil
}

// ownerFields name the persons of a type.
func ownerFields(t event.Type) []string {
	switch rule := access.Table[t]; {
	case rule.Self != nil:
		return []string{"employee_id"}
	case rule.Starter != nil:
		return []string{"started_by"}
	}
	return nil
}

// stripes are locks by key: a key has always the same one.
type stripes [64]sync.Mutex

func (s *stripes) of(key string) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(key))
	return &s[h.Sum32()%uint32(len(s))]
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
