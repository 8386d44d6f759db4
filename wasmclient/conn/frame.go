package conn

import (
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

// handleSnapshot goes on from a snapshot that the store has loaded. The stream begins earlier: at the
// end of the kept history, if that is not too far back, or else Backfill places before the snapshot.
func (m *Machine) handleSnapshot(now time.Time, in Snapshot) {
	if !m.AwaitsSnapshot(in.Attempt) {
		return
	}
	beginsHistory := m.placement == unplaced || m.cursor.Epoch != in.Cursor.Epoch
	m.cursor, m.snapshotAt = in.Cursor, in.Cursor
	if beginsHistory {
		kept := m.config.After
		if kept.Epoch == in.Cursor.Epoch && kept.Seq <= in.Cursor.Seq && in.Cursor.Seq-kept.Seq <= maxCatchUp {
			m.cursor = kept
		} else {
			m.cursor.Seq -= min(m.config.Backfill, m.cursor.Seq)
		}
	}
	m.placement, m.grant = justLoaded, in.Grant
	m.connect(now)
}

func (m *Machine) handleFrameOf(now time.Time, in Frame) {
	if in.Attempt == m.trial && m.trial > 0 {
		m.handleTrialFrame(now, in.Frame)
	} else if in.Attempt == m.attempt && (m.phase == opening || m.phase == streaming) {
		m.handleFrame(now, in.Frame)
	}
}

// handleFrame handles a frame of the current attempt, and moves the deadline unless the frame
// ended the stream.
func (m *Machine) handleFrame(now time.Time, f wire.Frame) {
	goesOn := true
	switch f := f.(type) {
	case *wire.Hello:
		goesOn = m.handleHello(now, f)
	case *wire.Bye:
		m.handleBye(now, f)
		return
	case *wire.Unreadable:
		m.handleUnreadable(now, f.Cursor)
		return
	case *wire.Gap:
		goesOn = m.handleGap(now, f)
	default: // an event or a heartbeat
		m.advance(f)
	}
	if goesOn && m.heartbeat > 0 {
		m.setDeadline(now.Add(missedHeartbeats * m.heartbeat))
	}
}

// handleHello begins the stream. It returns false if the stream does not begin, or if the hello
// of a leading tab changes nothing but the head.
func (m *Machine) handleHello(now time.Time, f *wire.Hello) bool {
	if m.following && m.phase == streaming { // the leader has reconnected at the same place
		m.head = f.Head.Seq
		return false
	}
	if m.config.Snapshot && f.Grant != m.grant { // the store holds what another grant may read
		m.resync(now)
		return false
	}
	m.head, m.grant, m.cursor = f.Head.Seq, f.Grant, f.Start
	m.placement = max(m.placement, placed)
	m.emit(Deliver{Frame: f}) // before the state, so that code which gets both knows which events are replayed
	if m.following {
		m.beginFollowing()
	} else {
		m.beginStreaming(now, f)
	}
	return true
}

// beginStreaming enters the phase streaming: events come from now on.
func (m *Machine) beginStreaming(now time.Time, f *wire.Hello) {
	m.phase = streaming
	m.heartbeat, m.streamingAt = f.Heartbeat, now
	m.retryDelay = max(minDelay, min(f.Retry, maxDelay))
	m.provenTransport, m.provenWasSilent = m.transportIndex+1, false
	m.planTrial(now)
	if m.config.Ladder[m.transportIndex] == Poll {
		m.setState(now, Polling, "")
	} else {
		m.setState(now, Live, "")
	}
}

// handleGap moves the cursor over a gap. It returns false if the machine needs a new snapshot
// instead, because the last snapshot does not contain all events of the gap.
func (m *Machine) handleGap(now time.Time, f *wire.Gap) bool {
	m.emit(Deliver{Frame: f})
	// A gap that leads back comes from another log, or from one that was restored from a backup.
	leadsBack := f.To.Epoch != m.snapshotAt.Epoch || f.To.Seq < m.cursor.Seq
	if m.config.Snapshot && (leadsBack || f.To.Seq > m.snapshotAt.Seq) {
		m.resync(now)
		return false
	}
	m.cursor = f.To
	return true
}

// advance moves the cursor to a frame and delivers it. It ignores a frame that was delivered before.
func (m *Machine) advance(f wire.Frame) {
	at := f.ReachedCursor()
	if at.Epoch == m.cursor.Epoch && at.Seq <= m.cursor.Seq {
		return
	}
	m.cursor, m.placement = at, min(m.placement, loaded)
	m.emit(Deliver{Frame: f, Replayed: at.Seq <= m.head})
}

// handleUnreadable asks once more for an event that this build cannot read, because something may
// have damaged the event on its way. If it is unreadable again, the stream goes on after it, as
// after a gap. From then on the machine skips unreadable events at once, because the broker writes
// events that this build does not know.
func (m *Machine) handleUnreadable(now time.Time, at wire.Cursor) {
	if !m.skipsUnreadable && m.unreadableAt != at {
		m.unreadableAt = at
		m.abort()
		m.fail(now, Failure{Code: "unreadable"})
		return
	}
	m.skipsUnreadable = true
	m.handleFrame(now, &wire.Gap{From: m.cursor, To: at})
}
