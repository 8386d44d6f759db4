package outbox

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// An Input is one of the types below.
type Input interface{ isInput() }

type (
	// Learn merges items: new ones, and those of the storage and of other tabs.
	Learn struct{ Items []Item }

	// Lead says whether this tab sends. A tab that begins to send tries at once, whatever it was
	// waiting for.
	Lead struct{ On bool }

	// Answered is the result of a Send.
	Answered struct {
		ID         string
		Cursor     wire.Cursor   // Cursor is the place at which the event is stored. Zero means that it is not stored.
		Status     int           // Status is the HTTP status. 0 means that the broker did not answer.
		Code       string        // Code is the problem's code.
		Problem    string        // Problem tells the user the same in a sentence.
		RetryAfter time.Duration // RetryAfter is the delay that the broker asked for. 0 means none.

		// Reachable reports whether the broker can be reached meanwhile. Then a proxy that refuses
		// the item refuses this item alone.
		Reachable bool
	}

	// Retry says that the user wants a rejected item sent again.
	Retry struct{ ID string }

	// Discard says that the user discards an item that is queued or rejected.
	Discard struct{ ID string }

	// Tick says that the alarm went off.
	Tick struct{}
)

func (Learn) isInput()    {}
func (Lead) isInput()     {}
func (Answered) isInput() {}
func (Retry) isInput()    {}
func (Discard) isInput()  {}
func (Tick) isInput()     {}
