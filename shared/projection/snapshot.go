package projection

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// A Snapshot is the state as one reader may see it. A stream that the reader opens at the
// snapshot's cursor continues it without a gap.
type Snapshot struct {
	// Cursor is the last event in the state.
	Cursor wire.Cursor `json:"cursor"`
	// Grant is the ID of the reader's grant.
	Grant string `json:"grant"`
	// Time is the time of the broker's clock, in UTC.
	Time time.Time `json:"time"`
	Installation
	// Figures has the figures that the reader may see, by name.
	Figures map[string]Figure `json:"figures"`
	// Entities has the entities that the reader may see, sorted by key.
	Entities []*Entity `json:"entities"`
}

// NewSnapshot returns the snapshot for a grant of the entities of a state at a cursor. It
// computes the figures from the redacted entities.
func NewSnapshot(
	at wire.Cursor, entities []*Entity, g access.Grant, now time.Time, in Installation,
) Snapshot {
	out := Snapshot{Cursor: at, Grant: g.ID(), Time: now.UTC(), Installation: in, Entities: []*Entity{}}
	for _, e := range entities {
		if redacted := e.Redact(g); redacted != nil {
			out.Entities = append(out.Entities, redacted)
		}
	}
	slices.SortFunc(out.Entities, func(a, b *Entity) int { return strings.Compare(a.Key, b.Key) })
	out.Figures = VisibleFigures(NewStateFrom(at, out.Entities), g, now, in)
	return out
}

// VisibleFigures returns the figures that the grant may see. The state must have only
// entities that are redacted for the grant.
func VisibleFigures(s *State, g access.Grant, now time.Time, in Installation) map[string]Figure {
	figures := s.Figures(now, in)
	maps.DeleteFunc(figures, func(name string, v Figure) bool {
		// A reader that may see no other sync has only syncs of its own in the state.
		isOwnSync := name == "sync_state" && v.Total > 0
		return !access.CanSeeFigure(g, name) && !isOwnSync
	})
	return figures
}
