package loop

import (
	"fmt"

	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/outbox"
	"github.com/snd-rental/yardline/wasmclient/port"
	"github.com/snd-rental/yardline/wasmclient/tabs"
)

// A message is one of the types below. driver.handle has a case for each.
type message interface{ isMessage() }

type (
	// connMessage has an input of the connection's machine other than a frame or a snapshot.
	connMessage struct{ input conn.Input }

	// frameMessage has a frame of a stream.
	frameMessage struct{ frame conn.Frame }

	// batchEnd follows the frames that came in one piece. The group sends them to the other tabs together.
	batchEnd struct{}

	// snapshotFetched has the snapshot that an attempt fetched.
	snapshotFetched struct {
		attempt  int
		snapshot projection.Snapshot
	}

	// reconnect says that the user wants another connection in place of the present one.
	reconnect struct{}

	// historyRead says that the history which an attempt of a follower needed has been delivered.
	historyRead struct{ attempt int }

	// memberMessage has an input of the election among the tabs.
	memberMessage struct{ input tabs.MemberInput }

	// tabMessage is a message of another tab.
	tabMessage struct{ message tabs.Message }

	// pageMessage is an event of the page.
	pageMessage struct{ event port.PageEvent }

	// outboxMessage has an input of the outbox.
	outboxMessage struct{ input outbox.Input }

	// itemWritten says that the user wrote an item, which the other tabs must learn.
	itemWritten struct{ item outbox.Item }

	// storageRecovered says that a storage which had failed works again.
	storageRecovered struct{}

	// toastsChanged says that the queue of toasts has changed, or that a toast's time may be over.
	toastsChanged struct{}

	// clockDue says that the clock is to be checked.
	clockDue struct{}

	// alarmFired says that an alarm went off.
	alarmFired struct {
		alarm    *alarm
		setCount int
	}
)

func (connMessage) isMessage()      {}
func (frameMessage) isMessage()     {}
func (batchEnd) isMessage()         {}
func (snapshotFetched) isMessage()  {}
func (reconnect) isMessage()        {}
func (historyRead) isMessage()      {}
func (memberMessage) isMessage()    {}
func (tabMessage) isMessage()       {}
func (pageMessage) isMessage()      {}
func (outboxMessage) isMessage()    {}
func (itemWritten) isMessage()      {}
func (storageRecovered) isMessage() {}
func (toastsChanged) isMessage()    {}
func (clockDue) isMessage()         {}
func (alarmFired) isMessage()       {}

// causeOf returns the Go type of a message, or of the input that the message has, for [Transition.Cause].
func causeOf(m message) string {
	switch m := m.(type) {
	case connMessage:
		return fmt.Sprintf("%T", m.input)
	case frameMessage:
		return fmt.Sprintf("%T", m.frame)
	case memberMessage:
		return fmt.Sprintf("%T", m.input)
	case tabMessage:
		return fmt.Sprintf("%T", m.message)
	case pageMessage:
		return fmt.Sprintf("%T", m.event)
	case outboxMessage:
		return fmt.Sprintf("%T", m.input)
	default:
		return fmt.Sprintf("%T", m)
	}
}
