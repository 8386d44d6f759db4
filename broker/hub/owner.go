package hub

import (
	"fmt"
	"hash/fnv"
	"sync"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

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
