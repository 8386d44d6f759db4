package outbox

import "time"

// An Effect is one of the types below.
type Effect interface{ isEffect() }

type (
	// Save writes an item to the storage.
	Save struct{ Item Item }

	// Forget deletes an item from the storage.
	Forget struct{ ID string }

	// Broadcast sends an item to the other tabs, which Learn it.
	Broadcast struct{ Item Item }

	// Send saves an item and carries it to the broker. The driver answers with Answered.
	Send struct {
		Item Item

		// LookUpFirst asks the driver to look for the event in the history before it sends the
		// item, because the event may already be there.
		LookUpFirst bool
	}

	// Alarm asks for a Tick at a time, in place of any earlier one.
	Alarm struct{ At time.Time }
)

func (Save) isEffect()      {}
func (Forget) isEffect()    {}
func (Broadcast) isEffect() {}
func (Send) isEffect()      {}
func (Alarm) isEffect()     {}
