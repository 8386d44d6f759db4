package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// resync starts again from a snapshot: without delay, unless it did so for
// this very attempt.
func (m *Machine) resync(now time.Time) {
	m.emit(Abort{m.attempt})
	m.synced = false
	if m.fresh {
		m.fresh = false
		m.ended(now, Failure{Code: "resync"})
		return
	}
	if m.status.Connected() {
		m.become(now, Connecting, "resync")
	}
	m.connect(now)
}

// bye is the broker's reason; the stream's end that follows is passed over.
func (m *Machine) bye(now time.Time, b *wire.Bye) {
	m.emit(Abort{m.attempt})
	switch b.Reason {
	case wire.ByeSignedOut:
		m.refused(now, Denied, string(b.Reason))
	case wire.ByeExpired:
		m.expired(now)
	case wire.ByeStop:
		m.refused(now, Disconnected, "stop")
	case wire.ByeRegrant:
		m.regranted(now, b.Delay)
	default:
		m.wait(now, Reconnecting, string(b.Reason), b.Delay+time.Duration(m.c.Random()*float64(m.least)))
	}
}

// ended decides what the end of an attempt leads to.
func (m *Machine) ended(now time.Time, f Failure) {
	switch {
	case !f.FromBroker: // An answer of anything but the broker is never final.
	case f.Status == 401 && !m.following: // For a following tab, the leading tab reports it.
		m.refused(now, Denied, f.Code)
		return
	case f.Status == 403 && !m.following:
		m.refused(now, Denied, "forbidden")
		return
	case f.Status == 409 && f.Code == "regranted":
		m.status.Attempt++ // The broker may end the next stream for the same reason.
		m.regranted(now, delay(m.status.Attempt, m.least, m.c.Random()))
		return
	case f.Status == 400 && f.Code == "invalid_cursor" && m.known:
		// The broker does not take our place in the log: start over, and
		// say that what was in between is lost.
		m.emit(Deliver{Frame: &wire.Gap{From: m.cursor}})
		m.synced, m.known, m.cursor = false, false, wire.Cursor{}
	}
	if m.phase == open && now.Sub(m.liveSince) >= steadyAfter {
		m.status.Attempt, m.cuts = 0, 0
	} else if m.phase == open {
		m.cuts++
	}
	if m.following && f.Code == LeaderChanged {
		m.become(now, Connecting, f.Code)
		m.connect(now)
		return
	}
	if !m.following && m.fall(f) {
		if m.status.Connected() { // cut early, again and again
			m.become(now, Reconnecting, f.Code)
		}
		m.connect(now)
		return
	}
	m.goBack(f)
	m.status.Attempt++
	pause := delay(m.status.Attempt, m.least, m.c.Random())
	state := Reconnecting
	if f.Code == NoNetwork {
		state = Offline
	}
	if f.RetryAfter > 0 {
		pause = f.RetryAfter + time.Duration(m.c.Random()*float64(minDelay))
		if f.Status == 429 || f.Status == 503 {
			state = Limited
		}
	}
	m.wait(now, state, f.Code, pause)
}

// expired reconnects silently at the last cursor, because the cookie or token may
// have been renewed meanwhile. If not, the broker answers 401. When streams expire
// again and again, expired backs off.
func (m *Machine) expired(now time.Time) {
	steady := m.phase == open && now.Sub(m.liveSince) >= steadyAfter
	if steady || !m.renewed {
		m.renewed = true
		m.connect(now)
		return
	}
	m.status.Attempt++
	m.wait(now, Reconnecting, string(wire.ByeExpired), delay(m.status.Attempt, m.least, m.c.Random()))
}

// unreadable asks once more for an event that this build cannot read, because
// something may have spoilt the event on its way. The second time the stream goes on
// after the event, as after a gap. It then goes on at once after every other
// unreadable event, because the broker writes events that this build does not know.
func (m *Machine) unreadable(now time.Time, at wire.Cursor) {
	if !m.skips && m.spoilt != at {
		m.spoilt = at
		m.emit(Abort{m.attempt})
		m.ended(now, Failure{Code: "unreadable"})
		return
	}
	m.skips = true
	m.frame(now, &wire.Gap{From: m.cursor, To: at})
}

// regranted starts over: what the store holds was for other eyes.
func (m *Machine) regranted(now time.Time, pause time.Duration) {
	m.synced = false
	m.wait(now, Reconnecting, "regrant", pause)
}

func (m *Machine) refused(now time.Time, s State, code string) {
	m.dropTrial()
	m.phase = idle
	m.alarm(time.Time{})
	m.become(now, s, code)
}

// wait plans the next attempt. Without a network nobody expects anything of it,
// so that it is not announced; but what browsers say of networks is not always
// so.
func (m *Machine) wait(now time.Time, s State, code string, pause time.Duration) {
	m.dropTrial()
	m.phase = waiting
	at := now.Add(pause)
	if s == Offline {
		m.become(now, s, code)
	} else {
		m.becomeUntil(now, s, code, at)
	}
	m.alarm(at)
}
