package outbox

import (
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// handleAnswer handles the result of the item that is under way.
func (m *Machine) handleAnswer(now time.Time, a Answered) {
	if a.ID != m.sendingID {
		return
	}
	m.sendingID = ""
	item, before := m.find(a.ID), m.held[a.ID]
	delete(m.held, a.ID)
	switch {
	case item == nil:
	case a.Cursor != wire.Cursor{}:
		m.endFailures()
		item.State, item.Cursor, item.Done, item.Code, item.Problem = Sent, a.Cursor, now, "", ""
		m.publish(item)
		m.rebase(*item)
		m.trim()
	case a.isFinal(), a.isItemRefusedByProxy() && before.tries+1 >= maxTries:
		m.endFailures()
		item.State, item.Code, item.Problem, item.Done = Rejected, a.Code, a.Problem, now
		m.publish(item)
	case a.isItemRefusedByProxy():
		m.endFailures()
		if m.held == nil {
			m.held = map[string]held{}
		}
		m.held[a.ID] = held{before.tries + 1, now.Add(max(a.RetryAfter, pause(before.tries)))}
	default:
		m.failures++
		m.waitTill = now.Add(max(a.RetryAfter, pause(m.failures-1)))
	}
}

// endFailures ends a row of failures that concern all items.
func (m *Machine) endFailures() { m.failures, m.waitTill = 0, time.Time{} }

// pause returns the time to wait after a failure; before is the number of failures before it.
func pause(before int) time.Duration { return min(maxPause, minPause<<min(before, 10)) }

// isItemRefusedByProxy reports whether a proxy or firewall refuses this item while it lets other
// requests through, for example because the item is too large. Some of them say so with status
// 200. The operator may correct that, but other items do not wait for it.
func (a Answered) isItemRefusedByProxy() bool {
	refuses := a.Status == 200 || a.Status >= 400 && a.Status < 500
	return a.Reachable && a.isFromProxy() && refuses && !asksForPatience(a.Status)
}

// isFinal reports whether no other attempt will help. An answer is not final if it came from
// anything but the broker, or if it asks for a sign-in or for time.
func (a Answered) isFinal() bool {
	if a.Status < 400 || a.Status >= 500 || a.isFromProxy() {
		return false
	}
	return !asksForPatience(a.Status) && a.Code != problem.CodeRegranted
}

// isFromProxy reports whether something between this client and the broker answered.
func (a Answered) isFromProxy() bool { return strings.HasPrefix(a.Code, "http_") }

// asksForPatience reports whether a status asks for a sign-in, or for time.
func asksForPatience(status int) bool {
	switch status {
	case 401, 407, 408, 425, 429:
		return true
	}
	return false
}

// rebase bases the later items about the same entity on the state to which a sent item led.
func (m *Machine) rebase(sent Item) {
	for i := range m.items {
		item := &m.items[i]
		isLater := item.State == Queued && item.Key == sent.Key && item.ID > sent.ID
		if isLater && item.Key != "" && item.Based != (wire.Cursor{}) {
			item.Based = sent.Cursor
			m.publish(item)
		}
	}
}
