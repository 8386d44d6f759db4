package tabs

import "time"

// Timing of the election. The browser slows down the timers of a hidden leader, so a leader counts
// as dead only if it leaves a question without an answer.
const (
	leaderSilence = 8 * time.Second // without a message of the leader for so long, a tab asks it
	answerTimeout = 3 * time.Second // without an answer for so long, a visible tab takes the leader's place

	// maxTickDelay is how late a tick may be. A later one says more about this tab than about the
	// leader, so the tab asks again.
	maxTickDelay = 2 * time.Second
)

// A Member is a tab's part in the election. It is not safe for concurrent use.
type Member struct {
	hasLocks bool          // the browser has locks; without them the tab is alone
	grace    time.Duration // all tabs are hidden for so long before the connection is closed

	joined     bool
	otherLeads bool // the tab has not joined, and another tab leads
	visible    bool
	role       Role
	request    int  // the current request of the leader's lock
	isSteal    bool // that request takes the lock from its holder

	leaderDeadline time.Time // the end of the leader's silence; zero means none
	pinged         bool      // the tab has asked the leader and waits for an answer

	unseenRequest     int       // the current request of the visibility lock; 0 means none
	lastUnseenRequest int       // the greatest number given to such a request
	sleepAt           time.Time // when the connection is to be closed; zero means not planned
	asleep            bool      // the connection is closed because all tabs are hidden
	alarmAt           time.Time // the alarm that is set

	effects []MemberEffect
}

// NewMember makes the member of a tab that has not joined. grace is the time for which all tabs are
// hidden before the connection is closed.
func NewMember(hasLocks, visible bool, grace time.Duration) *Member {
	return &Member{hasLocks: hasLocks, visible: visible, grace: grace, role: Alone}
}

// Role returns the present role.
func (m *Member) Role() Role { return m.role }

// Asleep reports whether the connection is closed because all tabs are hidden.
func (m *Member) Asleep() bool { return m.asleep }

// OtherLeads reports whether another tab leads while this one has not joined.
func (m *Member) OtherLeads() bool { return m.otherLeads }

// Step handles one input and returns its effects. The slice is valid until the next call.
func (m *Member) Step(now time.Time, in MemberInput) []MemberEffect {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Join:
		m.join(now)
	case Leave:
		m.leave(now)
	case Granted:
		m.handleGranted(in.Request)
	case Refused:
		m.handleRefused(now, in.Request)
	case Unseen:
		if m.isUnseenRequest(in.Request) {
			m.sleepAt = now.Add(m.grace)
		}
	case Confirmed:
		if m.isUnseenRequest(in.Request) {
			m.handleConfirmed(in.Wanted)
		}
	case Appeared:
		m.handleAppeared(now)
	case Vanished:
		m.handleVanished(now)
	case Heard:
		m.handleMessage(now, in.Message.Kind)
	case Tick:
		m.handleTick(now)
	}
	m.setAlarm()
	return m.effects
}

func (m *Member) emit(e MemberEffect) { m.effects = append(m.effects, e) }

func (m *Member) become(r Role) {
	if m.role != r {
		m.role = r
		m.emit(Become{r})
	}
}

// setAlarm asks for a tick at the earlier of the two times that are set.
func (m *Member) setAlarm() {
	at := m.leaderDeadline
	if at.IsZero() || !m.sleepAt.IsZero() && m.sleepAt.Before(at) {
		at = m.sleepAt
	}
	if at != m.alarmAt {
		m.alarmAt = at
		m.emit(Alarm{at})
	}
}

func (m *Member) join(now time.Time) {
	if m.joined {
		return
	}
	m.joined, m.otherLeads = true, false
	if !m.hasLocks {
		if !m.visible {
			m.sleepAt = now.Add(m.grace)
		}
		return
	}
	if m.visible {
		m.emit(ShareVisible{true})
		m.emit(Post{Shown})
	}
	m.become(Follower)
	m.requestLock(now, false)
}

func (m *Member) leave(now time.Time) {
	if !m.joined {
		return
	}
	m.joined = false
	m.sleepAt, m.asleep, m.leaderDeadline = time.Time{}, false, time.Time{}
	if !m.hasLocks {
		return
	}
	m.endUnseen()
	if m.visible {
		m.emit(ShareVisible{false})
	}
	if m.role == Follower {
		m.otherLeads = true
		m.expectLeader(now)
	}
	// Become comes before Release: when the next leader gets the lock, this tab must no longer act
	// as leader.
	m.become(Alone)
	m.emit(Release{m.request})
}

// requestLock requests the leader's lock: behind its holder, or in the holder's place.
func (m *Member) requestLock(now time.Time, steal bool) {
	m.request++
	m.isSteal = steal
	m.emit(Acquire{Request: m.request, Steal: steal})
	m.expectLeader(now)
}

// expectLeader begins to wait for the next message of the leader.
func (m *Member) expectLeader(now time.Time) {
	m.leaderDeadline, m.pinged = now.Add(leaderSilence), false
}

func (m *Member) handleGranted(request int) {
	if request == m.request && m.role == Follower {
		m.become(Leader)
		m.leaderDeadline = time.Time{}
		m.awaitUnseen()
	}
}

// handleRefused handles the end of a request. If the browser refuses a plain request, the page has
// no locks. A request that was granted, or that steals, ends if another tab has stolen the lock.
func (m *Member) handleRefused(now time.Time, request int) {
	if request != m.request || !m.joined || !m.hasLocks {
		return
	}
	m.endUnseen()
	m.wake()
	if m.role == Follower && !m.isSteal {
		m.hasLocks = false
		m.leaderDeadline = time.Time{}
		m.become(Alone)
		if !m.visible {
			m.sleepAt = now.Add(m.grace)
		}
		return
	}
	m.become(Follower)
	m.requestLock(now, false)
}

func (m *Member) handleMessage(now time.Time, kind Kind) {
	switch {
	case !m.hasLocks:
	case !m.joined:
		m.overhear(now, kind)
	case m.role == Leader && kind == Ping:
		m.emit(Post{Pong})
	case m.role == Leader && (kind == Shown || kind == Retry || kind == Reconnect):
		m.endUnseen()
		m.wake()
		m.awaitUnseen() // behind the tab that is visible now
	case m.role == Follower && isFromLeader(kind):
		m.expectLeader(now)
	}
}

// overhear handles a message in a tab that has not joined. Such a tab asks a silent leader for an
// answer, as a follower does.
func (m *Member) overhear(now time.Time, kind Kind) {
	switch {
	case isFromLeader(kind):
		m.expectLeader(now)
		m.setOtherLeads(true)
	case kind == Left:
		m.leaderDeadline = time.Time{}
		m.setOtherLeads(false)
	}
}

func (m *Member) setOtherLeads(on bool) {
	if m.otherLeads != on {
		m.otherLeads = on
		m.emit(OtherLeads{on})
	}
}

// isFromLeader reports whether only a tab that leads sends messages of this kind.
func isFromLeader(k Kind) bool {
	switch k {
	case Lead, Attached, Frames, Status, Pong:
		return true
	}
	return false
}

func (m *Member) handleTick(now time.Time) {
	m.sleepIfDue(now)
	switch {
	case m.leaderDeadline.IsZero() || now.Before(m.leaderDeadline):
	case !m.pinged || now.Sub(m.leaderDeadline) > maxTickDelay:
		m.ping(now)
	case !m.joined:
		m.leaderDeadline = time.Time{}
		m.setOtherLeads(false)
	case !m.visible:
		// The tab asks again and steals nothing. The browser holds back the messages of a
		// prerendered page, and so the answers to them, until the user sees it. No user misses a
		// leader that died while all tabs are hidden.
		m.leaderDeadline = now.Add(leaderSilence)
		m.emit(Post{Ping})
	default:
		m.emit(Release{m.request})
		m.requestLock(now, true)
	}
}

// ping asks the leader for an answer.
func (m *Member) ping(now time.Time) {
	m.pinged, m.leaderDeadline = true, now.Add(answerTimeout)
	m.emit(Post{Ping})
}
