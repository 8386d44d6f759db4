package tabs

import "time"

// The leader's connection sleeps while every tab is hidden. A hidden leader learns that by a
// request of the visibility lock, which it gets when no tab holds a share of it.

func (m *Member) handleAppeared(now time.Time) {
	m.visible = true
	if !m.joined {
		return
	}
	m.endUnseen()
	m.wake()
	if m.hasLocks {
		m.emit(ShareVisible{true})
		m.emit(Post{Shown})
	}
	if m.role == Follower && m.pinged { // the browser may have held the first question back
		m.ping(now)
	}
}

func (m *Member) handleVanished(now time.Time) {
	m.visible = false
	switch {
	case !m.joined:
	case !m.hasLocks:
		m.sleepAt = now.Add(m.grace)
	default:
		m.emit(ShareVisible{false})
		m.awaitUnseen()
	}
}

// awaitUnseen requests the visibility lock if this tab leads and is hidden.
func (m *Member) awaitUnseen() {
	if m.role == Leader && !m.visible && m.unseenRequest == 0 {
		m.lastUnseenRequest++
		m.unseenRequest = m.lastUnseenRequest
		m.emit(AwaitUnseen{m.unseenRequest})
	}
}

func (m *Member) endUnseen() {
	if m.unseenRequest > 0 {
		m.emit(EndUnseen{m.unseenRequest})
	}
	m.unseenRequest = 0
}

// isUnseenRequest reports whether this is the current request of the visibility lock.
func (m *Member) isUnseenRequest(request int) bool {
	return m.unseenRequest > 0 && request == m.unseenRequest
}

// sleepIfDue closes the connection if all tabs were hidden long enough. With locks, it first asks
// whether a tab has become visible meanwhile.
func (m *Member) sleepIfDue(now time.Time) {
	if m.sleepAt.IsZero() || now.Before(m.sleepAt) {
		return
	}
	m.sleepAt = time.Time{}
	if m.hasLocks {
		m.emit(Confirm{m.unseenRequest})
	} else {
		m.sleep()
	}
}

func (m *Member) handleConfirmed(wanted bool) {
	if !wanted {
		m.sleep()
		return
	}
	m.endUnseen()
	m.awaitUnseen() // behind the tab that is visible
}

func (m *Member) sleep() {
	m.asleep = true
	m.emit(Sleep{})
}

// wake ends a sleep, or the plan of one.
func (m *Member) wake() {
	if m.asleep {
		m.emit(Wake{})
	}
	m.sleepAt, m.asleep = time.Time{}, false
}
