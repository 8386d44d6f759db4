package conn

import "time"

// turn makes the machine follow another tab, or lead. What the store holds
// stays, and the next attempt goes on at the place that was reached.
func (m *Machine) turn(now time.Time, follow bool) {
	if m.following == follow {
		return
	}
	m.following = follow
	m.heartbeat = 0
	if m.phase == idle || m.phase == fetching {
		return
	}
	m.abort()
	m.status.Attempt = 0
	if limit := m.limited; !follow && now.Before(limit.RetryAt) { // the broker has asked all of them
		m.limited = Status{}
		m.wait(now, Limited, limit.Code, limit.RetryAt.Sub(now))
		return
	}
	m.become(now, Connecting, LeaderChanged)
	m.connect(now)
}

// limitedBy keeps what the broker asked of the tab that leads: its heir is asked
// the same. That one says too that it stops, before it leaves.
func (m *Machine) limitedBy(s Status) {
	switch s.State {
	case Limited:
		m.limited = s
	case Connecting, Reconnecting, Live, Polling:
		m.limited = Status{}
	}
}

// attached takes the hello of a tab that leads. That tab has the deadlines; its
// own life is watched by the election (package tabs).
func (m *Machine) attached() {
	m.phase = open
	m.heartbeat = 0
	m.alarm(time.Time{})
}

// snapshot goes on from a snapshot that the store has taken. The stream begins
// before it: where the kept history ends, if that is not too far back.
func (m *Machine) snapshot(now time.Time, in Snapshot) {
	other := m.cursor.Epoch != in.Cursor.Epoch // Another log begins a new history.
	m.cursor, m.base = in.Cursor, in.Cursor
	if !m.known || other {
		kept := m.c.After
		if kept.Epoch == in.Cursor.Epoch && kept.Seq <= in.Cursor.Seq && in.Cursor.Seq-kept.Seq <= maxCatchUp {
			m.cursor = kept
		} else {
			m.cursor.Seq -= min(m.c.Backfill, m.cursor.Seq)
		}
	}
	m.known, m.synced, m.fresh, m.grant = true, true, true, in.Grant
	m.connect(now)
}
