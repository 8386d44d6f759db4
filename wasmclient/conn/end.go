package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

func (m *Machine) handleEndOf(now time.Time, in Ended) {
	if in.Attempt == m.trial && m.trial > 0 {
		m.failTrial(now)
	} else if in.Attempt == m.attempt && m.isUnderWay() {
		m.fail(now, in.Failure)
	}
}

// resync starts again from a snapshot. It does so without delay, unless nothing was delivered
// since the last snapshot.
func (m *Machine) resync(now time.Time) {
	m.abort()
	isRepeated := m.placement == justLoaded
	m.placement = placed
	if isRepeated {
		m.fail(now, Failure{Code: "resync"})
		return
	}
	if m.status.Connected() {
		m.setState(now, Connecting, "resync")
	}
	m.connect(now)
}

// handleBye acts on the broker's reason. The machine ignores the end of the stream that follows.
func (m *Machine) handleBye(now time.Time, b *wire.Bye) {
	m.abort()
	switch b.Reason {
	case wire.ByeSignedOut:
		m.giveUp(now, Denied, string(b.Reason))
	case wire.ByeExpired:
		m.handleExpiry(now)
	case wire.ByeStop:
		m.giveUp(now, Disconnected, "stop")
	case wire.ByeRegrant:
		m.waitForGrant(now, b.Delay)
	default:
		pause := b.Delay + time.Duration(m.config.Random()*float64(m.retryDelay))
		m.wait(now, Reconnecting, string(b.Reason), pause)
	}
}

// fail decides how the machine goes on after the current attempt has failed.
func (m *Machine) fail(now time.Time, f Failure) {
	switch {
	case !f.FromBroker: // Only the broker's own answer is final.
	case f.Status == 401 && !m.following: // For a following tab, the leading tab reports it.
		m.giveUp(now, Denied, f.Code)
		return
	case f.Status == 403 && !m.following:
		m.giveUp(now, Denied, problem.CodeForbidden)
		return
	case f.Status == 409 && f.Code == problem.CodeRegranted:
		m.status.Attempt++ // The broker may end the next stream for the same reason.
		m.waitForGrant(now, delay(m.status.Attempt, m.retryDelay, m.config.Random()))
		return
	case f.Status == 400 && f.Code == problem.CodeInvalidCursor && m.placement >= placed:
		// The broker does not accept the cursor. The machine starts over, and reports that the
		// events in between are lost.
		m.emit(Deliver{Frame: &wire.Gap{From: m.cursor}})
		m.placement, m.cursor = unplaced, wire.Cursor{}
	}
	m.countEarlyCuts(now)
	if m.following && f.Code == LeaderChanged {
		m.setState(now, Connecting, f.Code)
		m.connect(now)
		return
	}
	if !m.following && m.stepDown(f) {
		if m.status.Connected() { // streams were cut early, one after the other
			m.setState(now, Reconnecting, f.Code)
		}
		m.connect(now)
		return
	}
	m.returnToProven(f)
	m.retryAfter(now, f)
}

// countEarlyCuts counts streams that ended before they were steady. A steady one ends the row of
// failures.
func (m *Machine) countEarlyCuts(now time.Time) {
	switch {
	case m.phase != streaming:
	case m.wasSteady(now):
		m.status.Attempt, m.earlyCuts = 0, 0
	default:
		m.earlyCuts++
	}
}

// wasSteady reports whether the stream lived long enough to count as working.
func (m *Machine) wasSteady(now time.Time) bool {
	return m.phase == streaming && now.Sub(m.streamingAt) >= steadyAfter
}

// retryAfter plans the next attempt after a failure.
func (m *Machine) retryAfter(now time.Time, f Failure) {
	m.status.Attempt++
	pause := delay(m.status.Attempt, m.retryDelay, m.config.Random())
	state := Reconnecting
	if f.Code == NoNetwork {
		state = Offline
	}
	if f.RetryAfter > 0 {
		pause = f.RetryAfter + time.Duration(m.config.Random()*float64(minDelay))
		if f.Status == 429 || f.Status == 503 {
			state = Limited
		}
	}
	m.wait(now, state, f.Code, pause)
}

// handleExpiry reconnects at once, without a change of state, because the cookie or token may have
// been renewed meanwhile. If it was not, the broker answers 401. The machine backs off if a stream
// expires before it is steady, unless it is the first one since Start.
func (m *Machine) handleExpiry(now time.Time) {
	if m.wasSteady(now) || !m.hasExpired {
		m.hasExpired = true
		m.connect(now)
		return
	}
	m.status.Attempt++
	pause := delay(m.status.Attempt, m.retryDelay, m.config.Random())
	m.wait(now, Reconnecting, string(wire.ByeExpired), pause)
}

// waitForGrant starts over from a snapshot after a pause: the store holds what the old grant may read.
func (m *Machine) waitForGrant(now time.Time, pause time.Duration) {
	m.placement = min(m.placement, placed)
	m.wait(now, Reconnecting, "regrant", pause)
}

// giveUp stops the machine, because no attempt would help. The attempt has already ended.
func (m *Machine) giveUp(now time.Time, s State, code string) {
	m.abandonTrial()
	m.phase = idle
	m.setDeadline(time.Time{})
	m.setState(now, s, code)
}
