package hub

import (
	"context"
	"errors"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// keepOwner holds that sight of an entity never depends on a value that
// changes: the person whom it is about stays, and is named by every event.
// before are the fields of the entity, nil where there is none yet. The error
// is a *RefusedError.
func inheritOwner(before event.Object, e event.Event) (event.Event, error) {
	if before == nil {
		return e, nil
	}
	for _, name := range ownerFields(e.Type) {
		owner := before.Get(name)
		if owner != nil && !e.Data.Has(name) {
			e.Data = e.Data.With(name, owner)
		}
		// A thing that began without an owner stays without: what was said of
		// it before was not meant for one.
		if e.Data.Text(name) != before.Text(name) {
			return e, refuse(ErrOwner, "/data/"+name, "conflict", "the person whom the thing was about before")
		}
	}
	return e, nil
}

// fieldsOf are the fields of an entity with an owner, nil for others.
func (h *Hub) currentFields(e event.Event) event.Object {
	if len(ownerFields(e.Type)) == 0 {
		return nil // most types: no look at the state
	}
	if before := h.Entity(event.EntityKey(e)); before != nil {
		return before.Fields
	}
	return nil
}

// ownerFields name the persons of a type.
func ownerFields(t event.Type) []string {
	switch rule := access.Table[t]; {
	case rule.Employee != nil:
		return []string{"employee_id"}
	case rule.Starter != nil:
		return []string{"started_by"}
	}
	return nil
}

// keepOwners is keepOwner for a batch, before any of it is stored. It counts the
// earlier events of the batch, too.
func (h *Hub) inheritOwners(batch []publication) error {
	latest := map[string]event.Object{} // the fields of each entity with an owner
	var refused *RefusedError
	for i := range batch {
		key := event.EntityKey(batch[i].event)
		before, follows := latest[key]
		if !follows {
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

// keepUnmoved holds a publisher to the state that it has seen. It looks at the
// log's head, so that what other brokers stored counts too; two brokers may
// still store at the same moment. Where the thing was moved by this very event,
// whose answer was lost, it returns the receipt of that.
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
		return nil, &MovedError{wire.Cursor{Epoch: epoch, Seq: bounds.Last}} // nobody has seen that
	}
	if now == nil || p.entityAt.Epoch == epoch && now.Seq <= p.entityAt.Seq {
		return nil, nil
	}
	moved := &MovedError{wire.Cursor{Epoch: epoch, Seq: now.Seq}}
	if !p.hasID || p.entityAt.Epoch != epoch {
		return nil, moved
	}
	page, err := h.config.Log.Read(ctx, p.entityAt.Seq, maxRepetitionScan, eventlog.Selection{Types: []event.Type{p.event.Type}, Subjects: []string{p.event.Subject}})
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
	return nil, moved
}

// maxMoves is how many changes of an entity are looked through for a
// repetition.
const maxRepetitionScan = 256
