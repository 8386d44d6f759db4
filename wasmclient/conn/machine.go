package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// phase is the activity of the machine. [State] is how it looks to the user.
type phase int

const (
	idle      phase = iota // nothing is under way or planned
	fetching               // the driver fetches a snapshot
	opening                // the driver opens a stream, which has had no hello yet
	streaming              // the stream has had its hello
	waiting                // the alarm starts the next attempt
)

// placement is what the machine knows about its place in the log. The values are ordered: each
// includes the one before.
type placement int

const (
	unplaced   placement = iota // the cursor means nothing: a stream would bring live events only
	placed                      // a stream goes on after the cursor
	loaded                      // placed, and the store holds a snapshot of the cursor's epoch and of the grant
	justLoaded                  // loaded, and nothing was delivered since that snapshot
)

// A Machine is one connection. It is not safe for concurrent use.
type Machine struct {
	config    Config
	status    Status
	phase     phase
	following bool // the frames come from another tab

	attempt     int       // the current attempt; the machine ignores inputs of others, except of a trial
	lastAttempt int       // the greatest number given to an attempt or trial
	deadline    time.Time // the end of the phase; zero means none

	ladder
	upstreamLimit Status // the leading tab's status while the broker made it wait; else zero

	placement   placement
	cursor      wire.Cursor // everything through here was delivered
	snapshotAt  wire.Cursor // the place of the last snapshot
	grant       string      // the grant of the last snapshot or hello
	head        uint64      // the log's last place at the stream's hello: events up to it are replayed
	heartbeat   time.Duration
	retryDelay  time.Duration // the least delay of retries, by the broker's last hello
	streamingAt time.Time     // the time of the stream's hello
	hasExpired  bool          // a stream has expired since Start

	unreadableAt    wire.Cursor // the place of the last event that could not be read
	skipsUnreadable bool        // one was unreadable twice: from now on they are skipped at once

	effects []Effect
}

// New makes a machine that is disconnected.
func New(c Config) *Machine {
	if len(c.Ladder) == 0 {
		c.Ladder = []Transport{SSE}
	}
	m := &Machine{config: c, status: Status{State: Disconnected}, cursor: c.After, retryDelay: minDelay}
	if !c.Snapshot && c.After != (wire.Cursor{}) {
		m.placement = placed
	}
	return m
}

// Status returns the present status.
func (m *Machine) Status() Status { return m.status }

// Cursor returns the place through which frames were delivered.
func (m *Machine) Cursor() wire.Cursor { return m.cursor }

// ResumePoint returns the cursor at which the next attempt goes on, and the grant under which the
// machine reached it. ok is false if there is no such place yet.
func (m *Machine) ResumePoint() (at wire.Cursor, grant string, ok bool) {
	return m.cursor, m.grant, m.placement >= placed && !m.needsSnapshot()
}

// AwaitsSnapshot reports whether the machine waits for the snapshot of this attempt. A snapshot
// that comes later is older than the frames that were delivered since.
func (m *Machine) AwaitsSnapshot(attempt int) bool {
	return m.phase == fetching && m.attempt == attempt
}

// HasCaughtUp reports whether every event was delivered that was in the log when the stream began.
func (m *Machine) HasCaughtUp() bool { return m.phase == streaming && m.cursor.Seq >= m.head }

// SetHistoryEnd sets [Config.After] of a machine with snapshots: the end of the history that the
// client kept from an earlier run. The caller must call it before the machine starts.
func (m *Machine) SetHistoryEnd(at wire.Cursor) { m.config.After = at }

// Step handles one input and returns its effects. The slice is valid until the next call.
func (m *Machine) Step(now time.Time, in Input) []Effect {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Start:
		m.start(now)
	case Stop:
		m.halt(now, Disconnected, "")
	case Pause:
		m.pause(now, in.Code)
	case Resume:
		m.resume(now, in.Code)
	case Woke:
		m.handleWake(now)
	case Follow:
		m.setFollowing(now, true)
	case Lead:
		m.setFollowing(now, false)
	case Upstream:
		m.handleUpstream(in)
	case Reopen:
		m.reopen(now)
	case Online:
		m.handleOnline(now)
	case GoneOffline:
		m.handleOffline(now)
	case Snapshot:
		m.handleSnapshot(now, in)
	case Frame:
		m.handleFrameOf(now, in)
	case Ended:
		m.handleEndOf(now, in)
	case Tick:
		m.handleTick(now)
	}
	return m.effects
}

func (m *Machine) emit(e Effect) { m.effects = append(m.effects, e) }

// isActive reports whether the machine is connected or tries to be.
func (m *Machine) isActive() bool { return m.phase != idle }

// isUnderWay reports whether the driver works on an attempt.
func (m *Machine) isUnderWay() bool {
	switch m.phase {
	case fetching, opening, streaming:
		return true
	case idle, waiting:
	}
	return false
}

// needsSnapshot reports whether the next attempt has to begin with a snapshot.
func (m *Machine) needsSnapshot() bool { return m.config.Snapshot && m.placement < loaded }

// setState changes the state without a planned attempt. A new code of the same state is a change too.
func (m *Machine) setState(now time.Time, s State, code string) {
	m.setStateUntil(now, s, code, time.Time{})
}

// setStateUntil changes the state and sets the time of the next attempt.
func (m *Machine) setStateUntil(now time.Time, s State, code string, retryAt time.Time) {
	next := m.status
	if next.State != s {
		next.Since = now
	}
	next.State, next.Code, next.RetryAt, next.Transport = s, code, retryAt, ""
	if next.Connected() {
		next.Transport = m.config.Ladder[m.transportIndex]
	}
	if next != m.status {
		m.status = next
		m.emit(Changed{next})
	}
}

// setDeadline sets the end of the phase; zero means none. The alarm rings earlier if a trial is due.
func (m *Machine) setDeadline(at time.Time) {
	m.deadline = at
	if m.hasTrialAlarm() && (at.IsZero() || m.trialAlarm.Before(at)) {
		at = m.trialAlarm
	}
	m.emit(Alarm{at})
}
