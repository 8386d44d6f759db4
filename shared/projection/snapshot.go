package projection

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Snapshot is the state as one reader may see it. A stream opened at its
// cursor continues it exactly.
type Snapshot struct {
	Cursor wire.Cursor `json:"cursor"`
	Grant  string      `json:"grant"` // the grant's ID
	Time   time.Time   `json:"time"`  // of the broker's clock
	Installation
	Figures  map[string]Figure `json:"figures"`
	Entities []*Entity         `json:"entities"`
}

// NewSnapshot is what the grant may see of entities that were true at a cursor.
// Its figures are computed from what the reader sees, and only those that
// they may see are there.
func NewSnapshot(at wire.Cursor, entities []*Entity, g access.Grant, now time.Time, in Installation) Snapshot {
	out := Snapshot{Cursor: at, Grant: g.ID(), Time: now.UTC(), Installation: in, Entities: []*Entity{}}
	for _, e := range entities {
		if seen := e.Redact(g); seen != nil {
			out.Entities = append(out.Entities, seen)
		}
	}
	slices.SortFunc(out.Entities, func(a, b *Entity) int { return strings.Compare(a.Key, b.Key) })
	out.Figures = VisibleFigures(NewStateFrom(at, out.Entities), g, now, in)
	return out
}

// VisibleFigures computes the figures that the grant may see, of a state that
// holds only what it may see.
func VisibleFigures(s *State, g access.Grant, now time.Time, in Installation) map[string]Figure {
	figures := s.Figures(now, in)
	maps.DeleteFunc(figures, func(name string, v Figure) bool {
		started := name == "sync_state" && v.Total > 0 // by the reader: nobody else's is in the state
		return !access.CanSeeFigure(g, name) && !started
	})
	return figures
}
