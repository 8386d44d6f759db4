package outbox

import (
	"slices"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

const (
	minPause = time.Second      // the pause after the first failure; it doubles with each further one
	maxPause = 30 * time.Second // greatest pause

	// lookUpAfter is the age from which an item is looked up before it is sent. It is less than the
	// time for which brokers remember keys by default (an hour).
	lookUpAfter = 50 * time.Minute

	maxOver  = 50 // number of items to remember that were sent or discarded
	maxTries = 12 // number of tries of an item that a proxy refuses, during some four minutes
)

// A Machine is one tab's part of the outbox. The zero Machine is empty, and does not send before
// Lead. It is not safe for concurrent use.
type Machine struct {
	items     []Item // in the order of their ids
	leads     bool   // this tab sends
	sendingID string // the id of the item that is under way; empty if none is

	failures int             // failures in a row that concern all items
	waitTill time.Time       // no item is sent before
	held     map[string]held // the items that a proxy refuses, by id

	effects []Effect
}

// held says when to try an item again. A proxy has refused the item.
type held struct {
	tries int
	until time.Time
}

// Items returns all known items except those that were discarded, oldest first.
func (m *Machine) Items() []Item {
	return slices.DeleteFunc(slices.Clone(m.items), func(i Item) bool { return i.State == Gone })
}

// All returns all known items, oldest first.
func (m *Machine) All() []Item { return slices.Clone(m.items) }

// Step handles one input and returns its effects. The slice is valid until the next call.
func (m *Machine) Step(now time.Time, in Input) []Effect {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Learn:
		for _, item := range in.Items {
			m.merge(item)
		}
	case Lead:
		m.lead(in.On)
	case Answered:
		m.handleAnswer(now, in)
	case Retry:
		m.retry(in.ID)
	case Discard:
		m.discard(in.ID)
	case Tick:
	}
	m.sendNext(now)
	return m.effects
}

func (m *Machine) emit(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) find(id string) *Item {
	if i, found := slices.BinarySearchFunc(m.items, id, compareID); found {
		return &m.items[i]
	}
	return nil
}

// merge replaces the known version of an item by one that has precedence over it. If the known
// version has precedence, merge broadcasts it, because the other tab may have missed it.
func (m *Machine) merge(item Item) {
	i, found := slices.BinarySearchFunc(m.items, item.ID, compareID)
	switch {
	case !found: // a discarded item too: a tab other than the sender may still have it queued
		m.items = slices.Insert(m.items, i, item)
	case item.precedence() > m.items[i].precedence():
		m.items[i] = item
	case item.precedence() < m.items[i].precedence():
		m.emit(Broadcast{m.items[i]})
	}
	m.trim()
}

// trim forgets all but the last items that are over.
func (m *Machine) trim() {
	over := 0
	for i := len(m.items) - 1; i >= 0; i-- {
		if m.items[i].isOver() {
			if over++; over > maxOver {
				m.items = slices.Delete(m.items, i, i+1)
			}
		}
	}
}

func (m *Machine) lead(on bool) {
	m.leads = on
	m.waitTill, m.failures = time.Time{}, 0
	for id, h := range m.held {
		m.held[id] = held{tries: h.tries}
	}
	for _, item := range m.items {
		if item.State == Queued && !on {
			m.emit(Broadcast{item}) // the tab that sends now may not have it
		}
	}
}

func (m *Machine) retry(id string) {
	if item := m.find(id); item != nil && item.State == Rejected {
		delete(m.held, item.ID)
		item.State, item.Code, item.Problem, item.Based = Queued, "", "", wire.Cursor{}
		m.publish(item)
	}
}

func (m *Machine) discard(id string) {
	if item := m.find(id); item != nil && !item.isOver() && item.ID != m.sendingID {
		item.State = Gone
		delete(m.held, item.ID)
		m.publish(item) // and remember it: another tab may not have heard
	}
}

// publish saves a new version of an item and broadcasts it.
func (m *Machine) publish(item *Item) {
	item.Rev++
	if item.isOver() {
		m.emit(Forget{item.ID})
	} else {
		m.emit(Save{*item})
	}
	m.emit(Broadcast{*item})
}

// sendNext sends the oldest item that is due. It sends one at a time, which keeps the order within
// each subject, and of all items except those that are held.
func (m *Machine) sendNext(now time.Time) {
	if !m.leads || m.sendingID != "" {
		return
	}
	item, next := m.nextDue(now)
	switch {
	case item == nil && next.IsZero():
	case item == nil:
		m.emit(Alarm{next})
	case now.Before(m.waitTill):
		m.emit(Alarm{m.waitTill})
	default:
		m.sendingID = item.ID
		m.emit(Send{Item: *item, LookUpFirst: now.Sub(item.Written) > lookUpAfter})
	}
}

// nextDue returns the oldest item that may be sent now; if there is none, the time at which the
// first one may be. An item that is held holds up later items about the same subject.
func (m *Machine) nextDue(now time.Time) (oldest *Item, next time.Time) {
	isHeldUp := map[string]bool{} // by subject
	for i := range m.items {
		item := &m.items[i]
		if item.State != Queued {
			continue
		}
		until := m.held[item.ID].until
		if !isHeldUp[item.Subject] && !now.Before(until) {
			return item, time.Time{}
		}
		if now.Before(until) && (next.IsZero() || until.Before(next)) {
			next = until
		}
		isHeldUp[item.Subject] = true
	}
	return nil, next
}
