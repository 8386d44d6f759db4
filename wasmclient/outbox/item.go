package outbox

import (
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// State says how far an item is.
type State string

// The states.
const (
	Queued   State = "queued"
	Sent     State = "sent"
	Rejected State = "rejected" // the broker refused the item; the user may retry or discard it
	Gone     State = "gone"     // the user discarded the item
)

// An Item is one event that the user wrote.
type Item struct {
	// ID is the idempotency key. It is a UUIDv7, so ids have the order of writing.
	ID string `json:"id"`

	Rev     int          `json:"rev"` // Rev counts the versions of the item.
	Type    event.Type   `json:"type"`
	Data    event.Object `json:"data"`
	Written time.Time    `json:"written"`
	Tab     string       `json:"tab"` // Tab is the tab in which the user wrote the item.

	Key     string `json:"key,omitempty"` // Key is the key of the entity that the item changes.
	Subject string `json:"subject"`       // Subject is the event's subject.

	// Based is the cursor after which the entity must not have changed. Zero means that any state
	// of the entity will do.
	Based wire.Cursor `json:"based,omitzero"`

	// After is a cursor of the log. If the event is in the log, it is after this cursor.
	After wire.Cursor `json:"after,omitzero"`

	State   State       `json:"state"`
	Done    time.Time   `json:"done,omitzero"`     // Done is the time of the answer, if the state is Sent or Rejected.
	Cursor  wire.Cursor `json:"cursor,omitzero"`   // Cursor is the event's place in the log, if the state is Sent.
	Code    string      `json:"code,omitempty"`    // Code is the problem's code, if the state is Rejected.
	Problem string      `json:"problem,omitempty"` // Problem tells the user the same in a sentence.
}

// isOver reports whether the item needs no more work.
func (i Item) isOver() bool { return i.State == Sent || i.State == Gone }

// precedence orders the versions of one item. A version that was sent comes first, because that is a
// fact. A version that the user discarded comes second. Among all others, the later version counts.
func (i Item) precedence() int {
	const highest = 1 << 30
	switch i.State {
	case Sent:
		return highest
	case Gone:
		return highest - 1
	case Queued, Rejected:
	}
	return i.Rev
}

func compareID(i Item, id string) int { return strings.Compare(i.ID, id) }
