package conn

import "time"

// start ends the present attempt and connects, by the best transport of the ladder.
func (m *Machine) start(now time.Time) {
	m.stop()
	m.status.Attempt, m.ladder, m.upstreamLimit, m.hasExpired = 0, ladder{}, Status{}, false
	m.setState(now, Connecting, "")
	m.connect(now)
}

// pause disconnects. The user's pause, which has no code, replaces a pause for another reason, so
// that the end of that reason does not reconnect.
func (m *Machine) pause(now time.Time, code string) {
	if m.isActive() || m.status.State == Offline || m.status.State == Paused && code == "" {
		m.halt(now, Paused, code)
	}
}

func (m *Machine) resume(now time.Time, code string) {
	if m.status.State == Paused && m.status.Code == code {
		m.setState(now, Connecting, "")
		m.connect(now)
	}
}

// reopen opens the stream again at the place that was reached.
func (m *Machine) reopen(now time.Time) {
	if !m.following && (m.phase == opening || m.phase == streaming) {
		m.abort()
		m.connect(now)
	}
}

// handleWake replaces a connection that may have died while the computer slept. A machine that
// streams from a leading tab does nothing, because the leader replaces the connection.
func (m *Machine) handleWake(now time.Time) {
	if m.isActive() && !(m.following && m.phase == streaming) {
		m.abort()
		m.setState(now, Stale, "woke")
		m.connect(now)
	}
}

func (m *Machine) handleOffline(now time.Time) {
	if m.isActive() && !m.following {
		m.halt(now, Offline, NoNetwork)
	}
}

func (m *Machine) handleOnline(now time.Time) {
	waits := m.phase == idle || m.phase == waiting
	if m.status.State == Offline && waits || m.following && m.phase == waiting {
		m.status.Attempt = 0
		m.setState(now, Reconnecting, "")
		m.connect(now)
	}
}

// handleTick acts on the end of a phase, or on a trial that is due.
func (m *Machine) handleTick(now time.Time) {
	if m.hasTrialAlarm() && !now.Before(m.trialAlarm) {
		m.handleTrialAlarm(now)
		if m.deadline.IsZero() || now.Before(m.deadline) {
			return
		}
	}
	switch m.phase {
	case idle:
	case waiting:
		if m.status.State != Offline {
			m.setState(now, Reconnecting, m.status.Code)
		}
		m.connect(now)
	case fetching:
		m.abort()
		m.fail(now, Failure{Code: "timeout"})
	case opening:
		m.abort()
		if m.following { // no tab leads yet, or the leader has no connection
			m.connect(now)
			return
		}
		m.fail(now, Failure{Code: "no_hello"})
	case streaming:
		m.abort()
		m.setState(now, Stale, "no_heartbeat")
		m.connect(now)
	}
}

// connect starts the next attempt. The caller has set the state.
func (m *Machine) connect(now time.Time) {
	m.abandonTrial()
	m.attempt = m.nextAttempt()
	if m.needsSnapshot() {
		m.phase = fetching
		m.emit(FetchSnapshot{m.attempt})
		m.setDeadline(now.Add(snapshotTimeout))
		return
	}
	m.phase = opening
	transport, timeout := m.config.Ladder[m.transportIndex], helloTimeout
	if m.following {
		transport = Tabs
	} else if m.mayBeDeadConnection() {
		timeout = deadConnectionTimeout
	}
	m.open(m.attempt, transport)
	m.setDeadline(now.Add(timeout))
}

func (m *Machine) nextAttempt() int {
	m.lastAttempt++
	return m.lastAttempt
}

// open opens a stream after the cursor, or for live events only if there is none.
func (m *Machine) open(attempt int, transport Transport) {
	e := Open{Attempt: attempt, Transport: transport}
	if m.placement >= placed {
		e.After = m.cursor
	}
	m.emit(e)
}

// abort ends the attempt that is under way, if there is one.
func (m *Machine) abort() {
	if m.isUnderWay() {
		m.emit(Abort{m.attempt})
	}
}

// stop ends what is under way or planned.
func (m *Machine) stop() {
	m.abort()
	m.abandonTrial()
	wasActive := m.isActive()
	m.phase = idle
	if wasActive {
		m.setDeadline(time.Time{})
	}
}

// halt stops the machine in a state.
func (m *Machine) halt(now time.Time, s State, code string) {
	m.stop()
	m.setState(now, s, code)
}

// wait plans the next attempt. The status has no time of the next attempt in state Offline: users
// expect none without a network. There is one because browsers are not always right about networks.
func (m *Machine) wait(now time.Time, s State, code string, pause time.Duration) {
	m.abandonTrial()
	m.phase = waiting
	at := now.Add(pause)
	if s == Offline {
		m.setState(now, s, code)
	} else {
		m.setStateUntil(now, s, code, at)
	}
	m.setDeadline(at)
}
