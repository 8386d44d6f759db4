package tabs

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// A MemberEffect is one of the types below. There are two locks: the tab that leads holds the
// leader's lock, and each visible tab that has joined holds a share of the visibility lock.
type MemberEffect interface{ isMemberEffect() }

type (
	// Acquire requests the leader's lock. The driver answers with Granted or Refused.
	Acquire struct {
		Request int
		Steal   bool // Steal takes the lock from its holder instead of waiting for it.
	}

	// Release gives the leader's lock back, or ends the request for it.
	Release struct{ Request int }

	// ShareVisible holds a share of the visibility lock, or gives it back.
	ShareVisible struct{ On bool }

	// AwaitUnseen requests the visibility lock exclusively, so that the tab gets the lock only while
	// no tab is visible. The driver answers with Unseen.
	AwaitUnseen struct{ Request int }

	// EndUnseen gives the visibility lock back, or ends the request of AwaitUnseen for it.
	EndUnseen struct{ Request int }

	// Confirm asks whether a tab waits for a share of the visibility lock, because the message
	// that a tab is visible may arrive before that tab's request. The driver answers with Confirmed.
	Confirm struct{ Request int }

	// OtherLeads says, in a tab that has not joined, whether another tab leads.
	OtherLeads struct{ On bool }

	// Become gives the tab a role.
	Become struct{ Role Role }

	// Post sends a message of a kind, with no other content.
	Post struct{ Kind Kind }

	// Sleep closes the connection, because the user sees none of the tabs.
	Sleep struct{}

	// Wake opens the connection again.
	Wake struct{}

	// Alarm asks for a Tick at a time, in place of any earlier one. The zero time asks for none.
	Alarm struct{ At time.Time }
)

func (Acquire) isMemberEffect()      {}
func (Release) isMemberEffect()      {}
func (ShareVisible) isMemberEffect() {}
func (AwaitUnseen) isMemberEffect()  {}
func (EndUnseen) isMemberEffect()    {}
func (Confirm) isMemberEffect()      {}
func (OtherLeads) isMemberEffect()   {}
func (Become) isMemberEffect()       {}
func (Post) isMemberEffect()         {}
func (Sleep) isMemberEffect()        {}
func (Wake) isMemberEffect()         {}
func (Alarm) isMemberEffect()        {}

// A ReaderEffect is one of the types below.
type ReaderEffect interface{ isReaderEffect() }

type (
	// PostMessage sends a message.
	PostMessage struct{ Message Message }

	// DeliverFrame is the next frame, in the order of the log. The first one is a hello.
	DeliverFrame struct{ Frame wire.Frame }

	// CatchUp asks for the events after From through To out of the broker's history. The driver
	// delivers them itself and then calls Reader.HandleCaughtUp.
	CatchUp struct{ From, To wire.Cursor }

	// Mirror is the status of the leader's connection.
	Mirror struct{ Status conn.Status }

	// Lost ends the reader: another tab leads, or the reader missed a message.
	Lost struct{}
)

func (PostMessage) isReaderEffect()  {}
func (DeliverFrame) isReaderEffect() {}
func (CatchUp) isReaderEffect()      {}
func (Mirror) isReaderEffect()       {}
func (Lost) isReaderEffect()         {}
