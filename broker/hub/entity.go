package hub

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// keepOwner holds that sight of an entity never depends on a value that
// changes: the person whom it is about stays, and is named by every event.
func (h *Hub) keepOwner(e event.Event) (event.Event, error) {
	names := ownerFields(e.Type)
	if len(names) == 0 {
		return e, nil // most types: no look at the state
	}
	before := h.Entity(event.EntityKey(e))
	if before == nil {
		return e, nil
	}
	for _, name := range names {
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

// keepOwners is keepOwner for an event of a batch, before any of it is stored:
// what comes earlier in the batch counts too.
func (h *Hub) keepOwners(batch map[string]event.Event, e event.Event) error {
	key := event.EntityKey(e)
	earlier, follows := batch[key]
	if !follows {
		kept, err := h.keepOwner(e)
		batch[key] = kept
		return err
	}
	for _, name := range ownerFields(e.Type) {
		if e.Data.Has(name) && e.Data.Text(name) != earlier.Data.Text(name) {
			return fmt.Errorf("%w: /data/%s", ErrOwner, name)
		}
	}
	return nil
}

// keepUnmoved holds a publisher to the state that it has seen. It looks at the
// log's head, so that what other brokers stored counts too; two brokers may
// still store at the same moment. Where the thing was moved by this very event,
// whose answer was lost, it returns the receipt of that.
func (h *Hub) keepUnmoved(ctx context.Context, p publication) (*Receipt, error) {
	if p.entityAt == nil {
		return nil, nil
	}
	bounds, err := h.c.Log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.Await(ctx, bounds.Last); err != nil {
		return nil, err
	}
	now := h.Entity(event.EntityKey(p.event))
	epoch := h.c.Log.Epoch()
	if p.entityAt.Epoch == epoch && p.entityAt.Seq > bounds.Last {
		h.warnAhead(p.entityAt, bounds.Last)
		return nil, &Moved{wire.Cursor{Epoch: epoch, Seq: bounds.Last}} // nobody has seen that
	}
	if now == nil || p.entityAt.Epoch == epoch && now.Seq <= p.entityAt.Seq {
		return nil, nil
	}
	moved := &Moved{wire.Cursor{Epoch: epoch, Seq: now.Seq}}
	if !p.named || p.entityAt.Epoch != epoch {
		return nil, moved
	}
	page, err := h.c.Log.Read(ctx, p.entityAt.Seq, maxMoves, eventlog.Selection{Types: []event.Type{p.event.Type}, Subjects: []string{p.event.Subject}})
	if err != nil && !errors.Is(err, eventlog.ErrGone) {
		return nil, err
	}
	for _, record := range page.Records {
		e, err := Decode(record, epoch)
		if err != nil || e.ID != p.event.ID || e.Actor != p.event.Actor || e.Source != p.event.Source {
			continue
		}
		if string(e.Data.AppendJSON(nil)) != string(p.event.Data.AppendJSON(nil)) {
			return nil, eventlog.ErrConflict
		}
		return &Receipt{ID: e.ID, Cursor: wire.Cursor{Epoch: epoch, Seq: record.Seq}, Duplicate: true}, nil
	}
	return nil, moved
}

// maxMoves is how many changes of an entity are looked through for a
// repetition.
const maxMoves = 256

// stripes are locks by key: a key has always the same one.
type stripes [64]sync.Mutex

func (s *stripes) of(key string) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(key))
	return &s[h.Sum32()%uint32(len(s))]
}
