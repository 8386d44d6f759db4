package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// ladder is the machine's position among its transports. The machine steps down at once when a
// transport does not work here. It climbs by trials: it opens a better transport at the cursor
// while the present one still delivers, and switches to it at its hello.
//
// A trial (trial > 0) exists only in the phase streaming of a machine that does not follow.
type ladder struct {
	transportIndex  int  // the index in Config.Ladder of the transport in use
	earlyCuts       int  // streams in a row that were cut before they were steady
	provenTransport int  // 1 + the index of the transport that had the last hello; 0 means none
	provenWasSilent bool // an attempt by that transport had no hello since, so it gets no more time than others

	trial      int           // the attempt that tries a better transport; 0 means none
	trialIndex int           // the index in Config.Ladder of the transport to try
	trialAlarm time.Time     // when the next trial begins, or when the present one fails; zero means neither
	trialPause time.Duration // the pause before the next trial
}

// stepDown moves to the next transport if a failure says that the present one does not work here,
// and reports whether the machine tries it at once. After the last transport comes the first one,
// after a pause.
func (m *Machine) stepDown(f Failure) bool {
	if m.phase == fetching || !isTransportFailure(f) && m.earlyCuts < maxEarlyCuts {
		return false
	}
	if f.Code == "no_hello" && m.mayBeDeadConnection() {
		m.provenWasSilent = true
		return false
	}
	m.earlyCuts = 0
	if m.transportIndex+1 < len(m.config.Ladder) {
		m.transportIndex++
		return true
	}
	m.transportIndex = 0
	return false
}

// mayBeDeadConnection reports whether a dead connection may be the reason for the silence of a
// transport that worked. The browser replaces such a connection, so another transport would not help.
func (m *Machine) mayBeDeadConnection() bool {
	return m.provenTransport == m.transportIndex+1 && !m.provenWasSilent
}

// isTransportFailure reports whether something between client and broker misunderstands, refuses
// or holds back the transport. Another transport does not help against a broker or a network that
// is down, or if the user has to sign in first.
func isTransportFailure(f Failure) bool {
	switch f.Code {
	case "no_hello", "not_a_stream", "no_upgrade":
		return true
	}
	switch f.Status {
	case 404, 405, 406, 415, 426, 501, 505:
		return true
	case 407, 408, 425, 429:
		return false
	}
	return !f.FromBroker && (f.Status/100 == 2 || f.Status/100 == 4)
}

// returnToProven returns to the transport that worked last if a failure says that the broker or
// the network is down: then the failures of the others say nothing about them, because a browser
// reports a refused upgrade and a broker that is down in the same way.
func (m *Machine) returnToProven(f Failure) {
	isDown := (f.Status == 0 || f.Status >= 500) && !isTransportFailure(f)
	if m.phase == opening && m.provenTransport > 0 && isDown {
		m.transportIndex = min(m.transportIndex, m.provenTransport-1)
	}
}

// planTrial sets the time of the next trial. A time that is set stays, even if the present stream
// is cut again and again.
func (m *Machine) planTrial(now time.Time) {
	if m.transportIndex == 0 {
		m.trialAlarm = time.Time{}
	} else if m.trialAlarm.IsZero() {
		m.trialPause = max(m.trialPause, minTrialPause)
		m.trialAlarm = now.Add(m.trialPause)
	}
}

// hasTrialAlarm reports whether a trial is planned or under way.
func (m *Machine) hasTrialAlarm() bool {
	return m.phase == streaming && !m.following && !m.trialAlarm.IsZero()
}

// handleTrialAlarm starts a trial, or ends one that had no hello in time.
func (m *Machine) handleTrialAlarm(now time.Time) {
	if m.trial > 0 {
		m.emit(Abort{m.trial})
		m.failTrial(now)
		return
	}
	if m.trialIndex >= m.transportIndex {
		m.trialIndex = 0
	}
	m.trial = m.nextAttempt()
	m.open(m.trial, m.config.Ladder[m.trialIndex])
	m.trialAlarm = now.Add(helloTimeout)
	m.setDeadline(m.deadline)
}

// failTrial plans a trial of the next better transport. After the last of them, the pause doubles.
func (m *Machine) failTrial(now time.Time) {
	m.trial, m.trialAlarm = 0, time.Time{}
	if m.trialIndex++; m.trialIndex >= m.transportIndex {
		m.trialIndex, m.trialPause = 0, min(2*m.trialPause, maxTrialPause)
	}
	m.planTrial(now)
	m.setDeadline(m.deadline)
}

// abandonTrial ends a trial, because the stream that the trial was to replace is over. The next
// trial is due at the time at which this one would have failed.
func (m *Machine) abandonTrial() {
	if m.trial > 0 {
		m.emit(Abort{m.trial})
	}
	m.trial = 0
}

// handleTrialFrame switches to the transport on trial at its hello. Both streams may deliver the
// same events; the machine ignores the second delivery, so that there is no gap and no repetition.
func (m *Machine) handleTrialFrame(now time.Time, f wire.Frame) {
	hello, isHello := f.(*wire.Hello)
	if !isHello || hello.Grant != m.grant || hello.Start.Epoch != m.cursor.Epoch {
		m.emit(Abort{m.trial})
		m.failTrial(now)
		return
	}
	m.emit(Abort{m.attempt})
	m.attempt, m.transportIndex = m.trial, m.trialIndex
	m.trial, m.earlyCuts, m.trialPause, m.trialAlarm = 0, 0, 0, time.Time{}
	m.beginStreaming(now, hello)
	m.setDeadline(now.Add(missedHeartbeats * m.heartbeat))
}
