package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// ladder is where the machine stands among its transports. It falls at once
// when one does not work here, and climbs back beside the one that does: a
// better one is opened at the cursor while the other still delivers, and takes
// over with its hello.
type ladder struct {
	rung    int           // of Config.Ladder
	cuts    int           // streams in a row that were cut early
	proven  int           // the rung that last had a hello, counted from 1; 0: none
	unheard bool          // an attempt since then was in vain: the connection below may have been dead
	climbAt time.Time     // a better transport is due to be tried, or its trial to be given up; zero: neither
	pause   time.Duration // until the next trial
	trial   int           // the attempt that tries a better one, 0: none
	aim     int           // its rung
}

// fall takes the next transport where the end of an attempt says that this one
// does not work here. Below the last it is the first again, after a pause.
func (m *Machine) fall(f Failure) bool {
	if m.phase == fetching || !unfit(f) && m.cuts < earlyCuts {
		return false
	}
	if f.Code == "no_hello" && m.patient() {
		m.unheard = true
		return false
	}
	m.cuts = 0
	if m.rung+1 < len(m.c.Ladder) {
		m.rung++
		return true
	}
	m.rung = 0
	return false
}

// patient tells whether a dead connection may be the cause of the silence. The
// browser replaces such a connection, so another transport would not help.
func (m *Machine) patient() bool { return m.proven == m.rung+1 && !m.unheard }

// unfit tells whether a failure is of the transport: something between takes
// it for what it is not, refuses it, or holds it back. A broker or network that is
// down, or a sign-in that is wanted first, is nothing that another transport would
// mend.
func unfit(f Failure) bool {
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

// goBack returns to the transport that worked last, where the attempt that ended
// says that the broker or the network is away: then that it fell says nothing. A
// browser tells a broker that is down from one that refuses upgrades by no word.
func (m *Machine) goBack(f Failure) {
	if m.phase == opening && m.proven > 0 && (f.Status == 0 || f.Status >= 500) && !unfit(f) {
		m.rung = min(m.rung, m.proven-1)
	}
}

// planClimb sets when a better transport is tried. A time that is set stays,
// however often the present one is cut meanwhile.
func (m *Machine) planClimb(now time.Time) {
	if m.rung == 0 {
		m.climbAt = time.Time{}
	} else if m.climbAt.IsZero() {
		m.pause = max(m.pause, climbAfter)
		m.climbAt = now.Add(m.pause)
	}
}

// climbs tells whether a trial is planned, or under way.
func (m *Machine) climbs() bool { return m.phase == open && !m.following && !m.climbAt.IsZero() }

// climb starts a trial, or gives one up that had no hello in time.
func (m *Machine) climb(now time.Time) {
	if m.trial > 0 {
		m.emit(Abort{m.trial})
		m.slipped(now)
		return
	}
	if m.aim >= m.rung {
		m.aim = 0
	}
	m.last++
	m.trial = m.last
	m.emit(Open{m.trial, m.place(), m.c.Ladder[m.aim]})
	m.climbAt = now.Add(helloWithin)
	m.alarm(m.deadline)
}

// slipped ends a trial that failed: another transport, and later.
func (m *Machine) slipped(now time.Time) {
	m.trial, m.climbAt = 0, time.Time{}
	if m.aim++; m.aim >= m.rung {
		m.aim, m.pause = 0, min(2*m.pause, maxClimb)
	}
	m.planClimb(now)
	m.alarm(m.deadline)
}

// dropTrial ends a trial because what it was to replace is over. Another is due
// when that one would have been given up.
func (m *Machine) dropTrial() {
	if m.trial > 0 {
		m.emit(Abort{m.trial})
	}
	m.trial = 0
}

// tried takes a frame of a trial: with its hello it takes over. What it
// delivers again is passed over, so that there is no break and no repetition.
func (m *Machine) tried(now time.Time, f wire.Frame) {
	hello, ok := f.(*wire.Hello)
	if !ok || hello.Grant != m.grant || hello.Start.Epoch != m.cursor.Epoch {
		m.emit(Abort{m.trial})
		m.slipped(now)
		return
	}
	m.emit(Abort{m.attempt})
	m.attempt, m.rung = m.trial, m.aim
	m.trial, m.cuts, m.pause, m.climbAt = 0, 0, 0, time.Time{}
	m.becomeLive(now, hello)
	m.alarm(now.Add(missedBeats * m.heartbeat))
}
