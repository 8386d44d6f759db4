package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// An Effect is one of the types below. The driver carries out the effects of a step in their order.
type Effect interface{ isEffect() }

type (
	// FetchSnapshot asks for a snapshot. The driver answers with Snapshot or Ended.
	FetchSnapshot struct{ Attempt int }

	// Open opens a stream. The driver answers with a Frame for each frame, then with Ended.
	Open struct {
		Attempt   int
		After     wire.Cursor // After is the cursor after which the stream begins. Zero means live events only.
		Transport Transport
	}

	// Abort ends the attempt. The machine ignores further inputs of it.
	Abort struct{ Attempt int }

	// Alarm asks for a Tick at a time, in place of any earlier one. The zero time asks for none.
	Alarm struct{ At time.Time }

	// Deliver hands a frame to the store.
	Deliver struct {
		Frame    wire.Frame
		Replayed bool // Replayed is true for an event that was published before the stream began.
	}

	// Changed reports a new status.
	Changed struct{ Status Status }
)

func (FetchSnapshot) isEffect() {}
func (Open) isEffect()          {}
func (Abort) isEffect()         {}
func (Alarm) isEffect()         {}
func (Deliver) isEffect()       {}
func (Changed) isEffect()       {}
