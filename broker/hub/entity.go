package hub

import (
	"context"
	"errors"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// inheritOwner returns the event with the owner of its entity. An owner is the
// person that an entity is about. It never changes, and every event names it,
// because it decides who may see the entity. before holds the present fields
// of the entity, and is nil when there is no entity yet. The error is a
// *RefusedError when the event names another owner.
func inheritOwner(before event.Object, e event.Event) (event.Event, error) {
	if before == nil {
		return e, nil
	}
	for _, name := range ownerFields(e.Type) {
		owner := before.Get(name)
		if owner != nil && !e.Data.Has(name) {
			e.Data = e.Data.With(name, owner)
		}
		// An entity that began without an owner stays without one, because its
		// earlier events were not meant for the person.
		if e.Data.Text(name) != before.Text(name) {
			return e, refuse(ErrOwner, "/data/"+name, "conflict", "the person whom the thing was about before")
		}
	}
	return e, nil
}

// currentFields returns the present fields of the event's entity. It returns
// nil when there is no such entity, or when entities of the type have no owner.
func (h *Hub) currentFields(e event.Event) event.Object {
	if len(ownerFields(e.Type)) == 0 {
		return nil // saves the lock for most types
	}
	if before := h.Entity(event.EntityKey(e)); before != nil {
		return before.Fields
	}
	return nil
}

// ownerFields returns the names of the fields that hold the owner of an entity
// of a type.
func ownerFields(t event.Type) []string {
	switch rule := access.Table[t]; {
	case rule.Employee != nil:
		return []string{"employee_id"}
	case rule.Starter != nil:
		return []string{"started_by"}
	}
	return nil
}

// inheritOwners is like inheritOwner for a batch. An event may also inherit the
// owner from an earlier event of the batch. It changes the events in place.
func (h *Hub) inheritOwners(batch []publication) error {
	latest := map[string]event.Object{} // newest fields by entity, of entities with an owner
	var refused *RefusedError
	for i := range batch {
		key := event.EntityKey(batch[i].event)
		before, found := latest[key]
		if !found {
			before = h.currentFields(batch[i].event)
		}
		e, err := inheritOwner(before, batch[i].event)
		if err != nil {
			refused = refused.addEvent(i, err)
			continue
		}
		batch[i].event = e
		if len(ownerFields(e.Type)) > 0 {
			latest[key] = e.Data
		}
	}
	return refused.orNil()
}

// checkUnmoved returns a *MovedError when the entity has changed after the
// cursor p.entityAt. It waits until this hub has handled the log's head, so
// that events of other brokers count too. Two brokers may still store an event
// of the entity at the same moment.
//
// When the entity was changed by this same event, which a publisher sends again
// after a lost answer, checkUnmoved returns the receipt of the stored event.
func (h *Hub) checkUnmoved(ctx context.Context, p publication) (*Receipt, error) {
	if p.entityAt == nil {
		return nil, nil
	}
	bounds, err := h.config.Log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.Await(ctx, bounds.Last); err != nil {
		return nil, err
	}
	now := h.Entity(event.EntityKey(p.event))
	epoch := h.config.Log.Epoch()
	if p.entityAt.Epoch == epoch && p.entityAt.Seq > bounds.Last {
		h.warnAhead(p.entityAt, bounds.Last)
		return nil, &MovedError{wire.Cursor{Epoch: epoch, Seq: bounds.Last}} // the log never had that cursor
	}
	if now == nil || p.entityAt.Epoch == epoch && now.Seq <= p.entityAt.Seq {
		return nil, nil
	}
	moved := &MovedError{wire.Cursor{Epoch: epoch, Seq: now.Seq}}
	if !p.hasID || p.entityAt.Epoch != epoch {
		return nil, moved
	}
	stored, err := h.findRepetition(ctx, p)
	if stored == nil && err == nil {
		err = moved
	}
	return stored, err
}

// maxRepetitionScan is the number of changes of an entity that findRepetition
// reads.
const maxRepetitionScan = 256

// findRepetition looks for the event among the changes of its entity after
// p.entityAt. It returns the receipt of the stored event, or nil when there is
// none. The error is that of a conflict when the stored event with the same id
// has other data.
func (h *Hub) findRepetition(ctx context.Context, p publication) (*Receipt, error) {
	epoch := h.config.Log.Epoch()
	s := eventlog.Selection{Types: []event.Type{p.event.Type}, Subjects: []string{p.event.Subject}}
	page, err := h.config.Log.Read(ctx, p.entityAt.Seq, maxRepetitionScan, s)
	if err != nil && !errors.Is(err, eventlog.ErrGone) {
		return nil, err
	}
	for _, record := range page.Records {
		e, err := Decode(record, epoch)
		if err != nil || e.ID != p.event.ID || e.Actor != p.event.Actor || e.Source != p.event.Source {
			continue
		}
		if string(e.Data.AppendJSON(nil)) != string(p.event.Data.AppendJSON(nil)) {
			return nil, idConflict(eventlog.ErrConflict)
		}
		return &Receipt{ID: e.ID, Cursor: wire.Cursor{Epoch: epoch, Seq: record.Seq}, Duplicate: true}, nil
	}
	return nil, nil
}
