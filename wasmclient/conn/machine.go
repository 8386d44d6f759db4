package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// phase is what the machine is doing; State is how that looks.
type phase int

const (
	idle     phase = iota // nothing is planned
	fetching              // a snapshot is under way
	opening               // a stream is under way, without hello
	open                  // hello has come
	waiting               // for the alarm, then another attempt
)

// A Machine is one connection. It is not safe for concurrent use.
type Machine struct {
	c       Config
	status  Status
	phase   phase
	attempt int // the one that counts; inputs of others are passed over
	last    int // numbers attempts

	ladder
	following bool
	limited   Status // of who was followed, while the broker made it wait; else zero

	cursor    wire.Cursor // delivered through
	known     bool        // cursor means something
	synced    bool        // the store holds a snapshot of this epoch and grant
	fresh     bool        // it was taken for the attempt under way
	base      wire.Cursor // that snapshot's
	grant     string
	head      uint64 // of the stream's hello: events up to it are replayed
	heartbeat time.Duration
	least     time.Duration // the broker's retry
	liveSince time.Time
	spoilt    wire.Cursor // an event there could not be read
	skips     bool        // nor the second time: what cannot be read is passed over
	renewed   bool        // the stream was opened again because what the last one was read by had expired
	deadline  time.Time   // of the phase; zero: none

	effects []Effect
}

// New makes a machine that is disconnected.
func New(c Config) *Machine {
	if len(c.Ladder) == 0 {
		c.Ladder = []Transport{SSE}
	}
	return &Machine{c: c, status: Status{State: Disconnected}, cursor: c.After, known: !c.Snapshot && c.After != wire.Cursor{}, least: minDelay}
}

// Status is the present one.
func (m *Machine) Status() Status { return m.status }

// Cursor is the place through which frames were delivered.
func (m *Machine) Cursor() wire.Cursor { return m.cursor }

// Place is that too, with the grant it was read by; ok is false where there is
// none yet that an attempt could go on from.
func (m *Machine) Place() (at wire.Cursor, grant string, ok bool) {
	return m.cursor, m.grant, m.known && (m.synced || !m.c.Snapshot)
}

// Awaits tells whether the machine waits for the snapshot of an attempt. One that
// comes late is older than what was delivered since.
func (m *Machine) Awaits(attempt int) bool { return m.phase == fetching && m.attempt == attempt }

// CaughtUp tells whether everything was delivered that was there when the
// stream began.
func (m *Machine) CaughtUp() bool { return m.phase == open && m.cursor.Seq >= m.head }

// Keep says where the history ends that was kept from an earlier life. It is
// for a machine with a snapshot that has not started.
func (m *Machine) Keep(at wire.Cursor) { m.c.After = at }

// Step takes one input and returns its effects. The slice is valid until the
// next call.
func (m *Machine) Step(now time.Time, in Input) []Effect {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Start:
		m.quit()
		m.status.Attempt, m.ladder, m.limited, m.renewed = 0, ladder{}, Status{}, false
		m.become(now, Connecting, "")
		m.connect(now)
	case Stop:
		m.halt(now, Disconnected, "")
	case Pause:
		// The user's word replaces another reason: what ends that one is nothing to it.
		if m.wants() || m.status.State == Offline || m.status.State == Paused && in.Code == "" {
			m.halt(now, Paused, in.Code)
		}
	case Resume:
		if m.status.State == Paused && m.status.Code == in.Code {
			m.become(now, Connecting, "")
			m.connect(now)
		}
	case GoneOffline:
		if m.wants() && !m.following {
			m.halt(now, Offline, NoNetwork)
		}
	case Online:
		if m.status.State == Offline && (m.phase == idle || m.phase == waiting) || m.following && m.phase == waiting {
			m.status.Attempt = 0
			m.become(now, Reconnecting, "")
			m.connect(now)
		}
	case Tick:
		m.tick(now)
	case Snapshot:
		if in.Attempt == m.attempt && m.phase == fetching {
			m.snapshot(now, in)
		}
	case Woke:
		if m.wants() && !(m.following && m.phase == open) {
			m.abort()
			m.become(now, Stale, "woke")
			m.connect(now)
		}
	case Follow, Lead:
		m.turn(now, in == Input(Follow{}))
	case Upstream:
		// Before it is attached, what the leader says is shown only where no
		// events come from it.
		heard := m.phase == open || m.phase == opening && !in.Status.Connected()
		if m.following && in.Attempt == m.attempt && heard && in.Status != m.status {
			m.status = in.Status
			m.limitedBy(in.Status)
			m.emit(Changed{in.Status})
		}
	case Reopen:
		if !m.following && (m.phase == opening || m.phase == open) {
			m.abort()
			m.connect(now)
		}
	case Frame:
		if in.Attempt == m.trial && m.trial > 0 {
			m.tried(now, in.Frame)
		} else if in.Attempt == m.attempt && (m.phase == opening || m.phase == open) {
			m.frame(now, in.Frame)
		}
	case Ended:
		if in.Attempt == m.trial && m.trial > 0 {
			m.slipped(now)
		} else if in.Attempt == m.attempt && m.phase != idle && m.phase != waiting {
			m.ended(now, in.Failure)
		}
	}
	return m.effects
}

func (m *Machine) emit(e Effect) { m.effects = append(m.effects, e) }

// become changes the state; a new detail of the same state is a change too.
func (m *Machine) become(now time.Time, s State, code string) {
	m.becomeUntil(now, s, code, time.Time{})
}

// becomeUntil changes the state with the time of the next attempt.
func (m *Machine) becomeUntil(now time.Time, s State, code string, retry time.Time) {
	next := m.status
	if next.State != s {
		next.Since = now
	}
	next.State, next.Code, next.RetryAt, next.Transport = s, code, retry, ""
	if next.Connected() {
		next.Transport = m.c.Ladder[m.rung]
	}
	if next != m.status {
		m.status = next
		m.emit(Changed{next})
	}
}

// wants tells whether the machine is connected or tries to be.
func (m *Machine) wants() bool { return m.phase != idle }

// abort ends the attempt that is under way, if one is.
func (m *Machine) abort() {
	if m.phase == fetching || m.phase == opening || m.phase == open {
		m.emit(Abort{m.attempt})
	}
}

// quit ends what is under way.
func (m *Machine) quit() {
	m.abort()
	m.dropTrial()
	planned := m.phase != idle
	m.phase = idle
	if planned {
		m.alarm(time.Time{})
	}
}

// halt ends what is under way and plans nothing.
func (m *Machine) halt(now time.Time, s State, code string) {
	m.quit()
	m.become(now, s, code)
}

// connect starts the next attempt. The state says already why.
func (m *Machine) connect(now time.Time) {
	m.dropTrial()
	m.last++
	m.attempt = m.last
	if m.c.Snapshot && !m.synced {
		m.phase = fetching
		m.emit(FetchSnapshot{m.attempt})
		m.alarm(now.Add(snapshotTime))
		return
	}
	m.phase = opening
	by, within := m.c.Ladder[m.rung], helloWithin
	if m.following {
		by = Tabs
	} else if m.patient() {
		within = deadWithin
	}
	m.emit(Open{m.attempt, m.place(), by})
	m.alarm(now.Add(within))
}

// place is the cursor to open at, zero for live events only.
func (m *Machine) place() wire.Cursor {
	if m.known {
		return m.cursor
	}
	return wire.Cursor{}
}

// alarm sets the deadline of the phase, zero for none.
func (m *Machine) alarm(at time.Time) {
	m.deadline = at
	if m.climbs() && (at.IsZero() || m.climbAt.Before(at)) {
		at = m.climbAt
	}
	m.emit(Alarm{at})
}

func (m *Machine) tick(now time.Time) {
	if m.climbs() && !now.Before(m.climbAt) {
		m.climb(now)
		if m.deadline.IsZero() || now.Before(m.deadline) {
			return
		}
	}
	switch m.phase {
	case waiting:
		if m.status.State != Offline {
			m.become(now, Reconnecting, m.status.Code)
		}
		m.connect(now)
	case fetching:
		m.emit(Abort{m.attempt})
		m.ended(now, Failure{Code: "timeout"})
	case opening:
		m.emit(Abort{m.attempt})
		if m.following { // nobody leads yet, or the leader has no connection
			m.connect(now)
			return
		}
		m.ended(now, Failure{Code: "no_hello"})
	case open:
		m.emit(Abort{m.attempt})
		m.become(now, Stale, "no_heartbeat")
		m.connect(now)
	}
}

func (m *Machine) frame(now time.Time, f wire.Frame) {
	switch f := f.(type) {
	case *wire.Hello:
		if m.following && m.phase == open { // the leader's connection is there again, at the same place
			m.head = f.Head.Seq
			return
		}
		if m.c.Snapshot && f.Grant != m.grant {
			m.resync(now) // what the store holds was for other eyes
			return
		}
		m.head, m.grant = f.Head.Seq, f.Grant
		m.cursor, m.known = f.Start, true
		m.emit(Deliver{Frame: f}) // before the state: who hears of both knows what is old news
		if m.following {
			m.attached()
		} else {
			m.becomeLive(now, f)
		}
	case *wire.Bye:
		m.bye(now, f)
		return
	case *wire.Unreadable:
		m.unreadable(now, f.Cursor)
		return
	case *wire.Gap:
		// What is missing before the snapshot is in the snapshot.
		back := f.To.Epoch != m.base.Epoch || f.To.Seq < m.cursor.Seq // another log, or one from a backup
		if m.c.Snapshot && (back || f.To.Seq > m.base.Seq) {
			m.emit(Deliver{Frame: f})
			m.resync(now)
			return
		}
		m.cursor = f.To
		m.emit(Deliver{Frame: f})
	default:
		m.progress(f)
	}
	if m.heartbeat > 0 {
		m.alarm(now.Add(missedBeats * m.heartbeat))
	}
}

// becomeLive takes a hello: events come from now on.
func (m *Machine) becomeLive(now time.Time, f *wire.Hello) {
	m.phase = open
	m.heartbeat, m.liveSince = f.Heartbeat, now
	m.least = max(minDelay, min(f.Retry, maxDelay))
	m.proven, m.unheard = m.rung+1, false
	m.planClimb(now)
	if m.c.Ladder[m.rung] == Poll {
		m.become(now, Polling, "")
	} else {
		m.become(now, Live, "")
	}
}

// progress moves the cursor on; what was delivered before is passed over.
func (m *Machine) progress(f wire.Frame) {
	at := f.ReachedCursor()
	if at.Epoch == m.cursor.Epoch && at.Seq <= m.cursor.Seq {
		return
	}
	m.cursor, m.fresh = at, false
	m.emit(Deliver{Frame: f, Replayed: at.Seq <= m.head})
}
