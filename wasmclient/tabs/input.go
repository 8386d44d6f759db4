package tabs

// A MemberInput is one of the types below. Their field Request names the request of a lock that an
// input answers; a member ignores answers to requests that are over.
type MemberInput interface{ isMemberInput() }

type (
	// Join says that the tab wants events.
	Join struct{}

	// Leave says that the tab wants no events, or is about to be frozen or closed.
	Leave struct{}

	// Granted says that the tab holds the leader's lock.
	Granted struct{ Request int }

	// Refused says that the tab does not get the leader's lock, or holds it no longer.
	Refused struct{ Request int }

	// Unseen says that the tab holds the visibility lock exclusively: no tab was visible at that time.
	Unseen struct{ Request int }

	// Confirmed answers Confirm. Wanted reports whether another tab waits for a share of the
	// visibility lock.
	Confirmed struct {
		Request int
		Wanted  bool
	}

	// Appeared says that this tab is visible.
	Appeared struct{}

	// Vanished says that this tab is hidden.
	Vanished struct{}

	// Heard is a message of another tab.
	Heard struct{ Message Message }

	// Tick says that the alarm went off.
	Tick struct{}
)

func (Join) isMemberInput()      {}
func (Leave) isMemberInput()     {}
func (Granted) isMemberInput()   {}
func (Refused) isMemberInput()   {}
func (Unseen) isMemberInput()    {}
func (Confirmed) isMemberInput() {}
func (Appeared) isMemberInput()  {}
func (Vanished) isMemberInput()  {}
func (Heard) isMemberInput()     {}
func (Tick) isMemberInput()      {}
