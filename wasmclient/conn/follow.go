package conn

import "time"

// setFollowing makes the machine follow another tab, or lead. The store keeps what it holds, and
// the next attempt goes on at the place that was reached.
func (m *Machine) setFollowing(now time.Time, following bool) {
	if m.following == following {
		return
	}
	m.following = following
	m.heartbeat = 0
	if m.phase == idle || m.phase == fetching {
		return
	}
	m.abort()
	m.status.Attempt = 0
	if limit := m.upstreamLimit; !following && now.Before(limit.RetryAt) { // the broker asked every tab to wait
		m.upstreamLimit = Status{}
		m.wait(now, Limited, limit.Code, limit.RetryAt.Sub(now))
		return
	}
	m.setState(now, Connecting, LeaderChanged)
	m.connect(now)
}

// handleUpstream shows the leader's status as the machine's own. Until the leader has answered with
// a hello, the machine ignores a status that says that events arrive.
func (m *Machine) handleUpstream(in Upstream) {
	isShown := m.phase == streaming || m.phase == opening && !in.Status.Connected()
	if m.following && in.Attempt == m.attempt && isShown && in.Status != m.status {
		m.status = in.Status
		m.noteUpstreamLimit(in.Status)
		m.emit(Changed{in.Status})
	}
}

// noteUpstreamLimit remembers that the broker made the leading tab wait, because the tab that leads
// next has to wait too. A leader reports Disconnected before it leaves. That does not end the limit.
func (m *Machine) noteUpstreamLimit(s Status) {
	switch s.State {
	case Limited:
		m.upstreamLimit = s
	case Connecting, Reconnecting, Live, Polling:
		m.upstreamLimit = Status{}
	case Offline, Paused, Stale, Denied, Disconnected:
	}
}

// beginFollowing enters the phase streaming at the hello of a leading tab. It sets no deadline: the
// leader watches the connection, and the election (package tabs) watches the leader.
func (m *Machine) beginFollowing() {
	m.phase = streaming
	m.heartbeat = 0
	m.setDeadline(time.Time{})
}
