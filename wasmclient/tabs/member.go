package tabs

import "time"

// Inputs of a Member. Ask says which request of a lock an input answers.
type (
	// Join: the tab wants events. Leave: it does not, or it is about to be
	// frozen or closed.
	Join  struct{}
	Leave struct{}
	// Granted: the tab holds the leader's lock. Refused: it does not, or no
	// more.
	Granted struct{ Ask int }
	Refused struct{ Ask int }
	// Unseen: no tab was visible when this one was given the lock of what is
	// visible, alone. Confirmed says whether a tab waits for a share of it by now.
	Unseen    struct{ Ask int }
	Confirmed struct {
		Ask    int
		Wanted bool
	}
	// Appeared and Vanished: this tab is visible or hidden.
	Appeared struct{}
	Vanished struct{}
	// Heard is a message of another tab.
	Heard struct{ Message Message }
	// Tick: the alarm went off.
	Tick struct{}
)

// Effects of a Member.
type (
	// Acquire asks for the leader's lock, after who has it or in its place.
	Acquire struct {
		Ask   int
		Steal bool
	}
	// Release gives the lock back, or ends the request for it.
	Release struct{ Ask int }
	// ShowVisible holds a share of the lock of what is visible, or gives it
	// back.
	ShowVisible struct{ On bool }
	// AwaitUnseen asks for that lock alone; EndUnseen gives it back.
	AwaitUnseen struct{ Ask int }
	EndUnseen   struct{ Ask int }
	// Confirm asks whether a tab waits for a share of that lock. A message that a
	// tab is visible may overtake its request.
	Confirm struct{ Ask int }
	// Led says to a tab that takes no part whether another one leads.
	Led struct{ On bool }
	// Become gives the tab a role.
	Become struct{ Role Role }
	// Post sends a message of a kind.
	Post struct{ Kind Kind }
	// Sleep closes the connection, since nobody looks; Wake opens it again.
	Sleep struct{}
	Wake  struct{}
	// Alarm asks for a Tick at a time, in place of any earlier one; the zero
	// time asks for none.
	Alarm struct{ At time.Time }
)

// Timing of the election. A leader whose tab is hidden has its timers slowed
// down, so that it is judged by its answers alone.
const (
	silence      = 8 * time.Second // without a word of the leader: ask
	answerWithin = 3 * time.Second // then a tab that is visible takes its place
	tooLate      = 2 * time.Second // a tick so late says more of this tab than of the leader
)

// A Member is a tab's part in the election. It is not safe for concurrent use.
type Member struct {
	locks bool          // the browser has them
	grace time.Duration // all are hidden for so long before the connection is closed

	in      bool
	led     bool // it is not in, and another tab leads
	visible bool
	role    Role
	ask     int // the request of the leader's lock that counts
	stole   bool

	deadline time.Time // of the leader's silence; zero: none
	pinged   bool

	watch  int       // the request that tells when all are hidden; 0: none
	lastW  int       // numbers them
	sleep  time.Time // the connection is closed then; zero: not planned
	asleep bool
	alarm  time.Time // the one that is set

	effects []any
}

// NewMember makes a tab that has not joined. Without locks it is alone.
func NewMember(locks, visible bool, grace time.Duration) *Member {
	return &Member{locks: locks, visible: visible, grace: grace, role: Alone}
}

// Role is the present one.
func (m *Member) Role() Role { return m.role }

// Asleep tells whether the connection is closed because nobody looks.
func (m *Member) Asleep() bool { return m.asleep }

// Led tells whether another tab leads, while this one takes no part.
func (m *Member) Led() bool { return m.led }

// Step takes one input and returns its effects. The slice is valid until the
// next call.
func (m *Member) Step(now time.Time, in any) []any {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Join:
		m.join(now)
	case Leave:
		m.leave(now)
	case Granted:
		if in.Ask == m.ask && m.role == Follower {
			m.become(Leader)
			m.deadline = time.Time{}
			m.watchUnseen()
		}
	case Refused:
		if in.Ask == m.ask && m.in && m.locks {
			m.refused(now)
		}
	case Unseen:
		if in.Ask == m.watch && m.watch > 0 {
			m.sleep = now.Add(m.grace)
		}
	case Confirmed:
		if in.Ask == m.watch && m.watch > 0 {
			m.confirmed(in.Wanted)
		}
	case Appeared:
		m.appeared(now)
	case Vanished:
		m.vanished(now)
	case Heard:
		m.heard(now, in.Message)
	case Tick:
		m.tick(now)
	}
	m.setAlarm()
	return m.effects
}

func (m *Member) emit(e any) { m.effects = append(m.effects, e) }

func (m *Member) become(r Role) {
	if m.role != r {
		m.role = r
		m.emit(Become{r})
	}
}

// setAlarm asks for a tick at the earlier of the two times.
func (m *Member) setAlarm() {
	at := m.deadline
	if at.IsZero() || !m.sleep.IsZero() && m.sleep.Before(at) {
		at = m.sleep
	}
	if at != m.alarm {
		m.alarm = at
		m.emit(Alarm{at})
	}
}

func (m *Member) join(now time.Time) {
	if m.in {
		return
	}
	m.in, m.led = true, false
	if !m.locks {
		if !m.visible {
			m.sleep = now.Add(m.grace)
		}
		return
	}
	if m.visible {
		m.emit(ShowVisible{true})
		m.emit(Post{Shown})
	}
	m.become(Follower)
	m.queue(now)
}

// queue asks for the lock after whoever has it.
func (m *Member) queue(now time.Time) {
	m.ask++
	m.stole = false
	m.emit(Acquire{Ask: m.ask})
	m.deadline, m.pinged = now.Add(silence), false
}

func (m *Member) leave(now time.Time) {
	if !m.in {
		return
	}
	m.in = false
	m.sleep, m.asleep, m.deadline = time.Time{}, false, time.Time{}
	if !m.locks {
		return
	}
	m.endUnseen()
	if m.visible {
		m.emit(ShowVisible{false})
	}
	if m.role == Follower {
		m.led, m.deadline, m.pinged = true, now.Add(silence), false
	}
	m.become(Alone) // before the lock is free: the next leader must find nobody in its place
	m.emit(Release{m.ask})
}

// refused is the end of a request. A browser that refuses a plain one has no
// locks for this page; one that was granted, or a theft, was undone by another
// thief.
func (m *Member) refused(now time.Time) {
	m.endUnseen()
	m.wake()
	if m.role == Follower && !m.stole {
		m.locks = false
		m.deadline = time.Time{}
		m.become(Alone)
		if !m.visible {
			m.sleep = now.Add(m.grace)
		}
		return
	}
	m.become(Follower)
	m.queue(now)
}

func (m *Member) appeared(now time.Time) {
	m.visible = true
	if !m.in {
		return
	}
	m.endUnseen()
	m.wake()
	if m.locks {
		m.emit(ShowVisible{true})
		m.emit(Post{Shown})
	}
	if m.role == Follower && m.pinged { // by questions that were perhaps held back
		m.question(now)
	}
}

// question asks the leader for a sign of life.
func (m *Member) question(now time.Time) {
	m.pinged, m.deadline = true, now.Add(answerWithin)
	m.emit(Post{Ping})
}

func (m *Member) vanished(now time.Time) {
	m.visible = false
	switch {
	case !m.in:
	case !m.locks:
		m.sleep = now.Add(m.grace)
	default:
		m.emit(ShowVisible{false})
		m.watchUnseen()
	}
}

// watchUnseen lets a hidden leader hear when every other tab is hidden too.
func (m *Member) watchUnseen() {
	if m.role == Leader && !m.visible && m.watch == 0 {
		m.lastW++
		m.watch = m.lastW
		m.emit(AwaitUnseen{m.watch})
	}
}

func (m *Member) endUnseen() {
	if m.watch > 0 {
		m.emit(EndUnseen{m.watch})
	}
	m.watch = 0
}

func (m *Member) fallAsleep() {
	m.asleep = true
	m.emit(Sleep{})
}

func (m *Member) confirmed(wanted bool) {
	if !wanted {
		m.fallAsleep()
		return
	}
	m.endUnseen()
	m.watchUnseen() // behind the one that is visible
}

// wake ends a sleep, or the plan of one.
func (m *Member) wake() {
	if m.asleep {
		m.emit(Wake{})
	}
	m.sleep, m.asleep = time.Time{}, false
}

func (m *Member) heard(now time.Time, message Message) {
	switch {
	case !m.locks:
	case !m.in:
		m.overheard(now, message.Kind)
	case m.role == Leader && message.Kind == Ping:
		m.emit(Post{Pong})
	case m.role == Leader && (message.Kind == Shown || message.Kind == Retry || message.Kind == Reconnect):
		m.endUnseen()
		m.wake()
		m.watchUnseen() // behind the one that is visible now
	case m.role == Follower && fromLeader(message.Kind):
		m.deadline, m.pinged = now.Add(silence), false
	}
}

// overheard takes a message while the tab takes no part. It is asked for where a
// leader says nothing, as by one that follows.
func (m *Member) overheard(now time.Time, k Kind) {
	switch {
	case fromLeader(k):
		m.deadline, m.pinged = now.Add(silence), false
		m.setLed(true)
	case k == Left:
		m.deadline = time.Time{}
		m.setLed(false)
	}
}

func (m *Member) setLed(on bool) {
	if m.led != on {
		m.led = on
		m.emit(Led{on})
	}
}

// fromLeader tells whether only a leader says so.
func fromLeader(k Kind) bool {
	switch k {
	case Lead, Attached, Frames, Status, Pong:
		return true
	}
	return false
}

func (m *Member) tick(now time.Time) {
	if !m.sleep.IsZero() && !now.Before(m.sleep) {
		m.sleep = time.Time{}
		if m.locks {
			m.emit(Confirm{m.watch})
		} else {
			m.fallAsleep()
		}
	}
	if m.deadline.IsZero() || now.Before(m.deadline) {
		return
	}
	if !m.pinged || now.Sub(m.deadline) > tooLate {
		m.question(now)
		return
	}
	if !m.in {
		m.deadline = time.Time{}
		m.setLed(false)
		return
	}
	if !m.visible {
		// What a prerendered page asks is held back until somebody sees it, and
		// its answer with it; a leader that is dead is missed by nobody.
		m.deadline = now.Add(silence)
		m.emit(Post{Ping})
		return
	}
	m.emit(Release{m.ask})
	m.ask++
	m.stole = true
	m.emit(Acquire{Ask: m.ask, Steal: true})
	m.deadline, m.pinged = now.Add(silence), false
}
