// Package outbox sends what the user wrote, once each and in the order in which
// it was written, whatever happens to network, tab and browser meanwhile. It is a
// pure machine: the caller keeps the items, carries them to the broker, and
// tells other tabs.
//
// An item has an idempotency key from the start, so that sending it again is
// harmless. One that was written longer ago than the broker remembers keys is
// looked up in the history first: this tab or another may have sent it. An item that was written
// without a connection says which state of its thing it was based on; where that
// has moved since, the broker refuses it (409) and the user decides.
package outbox

import (
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// State is how far an item is.
type State string

// The states.
const (
	Queued   State = "queued"
	Sent     State = "sent"
	Rejected State = "rejected" // the broker refused it: the user may retry or discard it
	Gone     State = "gone"     // discarded
)

// An Item is one event on its way. Rev counts its versions.
type Item struct {
	ID      string       `json:"id"` // the idempotency key: a UUIDv7, so that ids have the order of writing
	Rev     int          `json:"rev"`
	Type    event.Type   `json:"type"`
	Data    event.Object `json:"data"`
	Written time.Time    `json:"written"`
	Tab     string       `json:"tab"`
	Key     string       `json:"key,omitempty"`  // of the thing that it changes
	Subject string       `json:"subject"`        // with Type: where the history has it
	Based   wire.Cursor  `json:"based,omitzero"` // the thing must not have changed since; zero: whatever it is
	After   wire.Cursor  `json:"after,omitzero"` // it can only be later in the log
	State   State        `json:"state"`
	Done    time.Time    `json:"done,omitzero"`   // when it was answered
	Cursor  wire.Cursor  `json:"cursor,omitzero"` // of Sent: its place
	Code    string       `json:"code,omitempty"`  // of Rejected: why
	Problem string       `json:"problem,omitempty"`
}

// Inputs of the machine.
type (
	// Learn takes items as storage or other tabs have them, and new ones.
	Learn struct{ Items []Item }
	// Lead: this tab sends, at once where it waited, or no more.
	Lead struct{ On bool }
	// Answered is what came of a Send.
	Answered struct {
		ID         string
		Cursor     wire.Cursor   // where it was stored; else zero
		Status     int           // of HTTP; 0: no answer of the broker
		Code       string        // of the refusal
		Problem    string        // the same in words
		RetryAfter time.Duration // what the broker asked for
		Reachable  bool          // the broker is heard meanwhile: who refused, and is not it, does so for this item
	}
	// Retry and Discard are the user's words on a rejected item. A queued one
	// can be discarded too.
	Retry   struct{ ID string }
	Discard struct{ ID string }
	// Tick: the alarm went off.
	Tick struct{}
)

// Effects of the machine.
type (
	// Save keeps an item; Forget drops it.
	Save   struct{ Item Item }
	Forget struct{ ID string }
	// Tell lets the other tabs learn an item.
	Tell struct{ Item Item }
	// Send carries an item to the broker, after it was saved; Answered answers.
	// Look: find it in the history first, it may be there.
	Send struct {
		Item Item
		Look bool
	}
	// Alarm asks for a Tick at a time, in place of any earlier one.
	Alarm struct{ At time.Time }
)

const (
	minPause = time.Second // after a failure; doubles
	maxPause = 30 * time.Second
	// lookAfter is less than how long brokers remember keys by default (an hour).
	lookAfter = 50 * time.Minute
	maxDone   = 50 // items that are over and remembered
	maxTries  = 12 // of an item that something before the broker refuses: some four minutes
)

// held is an item that something before the broker refuses.
type held struct {
	tries int
	until time.Time
}

// A Machine is one tab's part of the outbox. It is not safe for concurrent use.
type Machine struct {
	items    []Item // in the order of their ids
	lead     bool
	sending  string    // the id of the item that is under way
	failures int       // in a row
	wait     time.Time // nothing is sent before
	held     map[string]held
	effects  []any
}

// Items are all that are known, oldest first, but for what was discarded.
func (m *Machine) Items() []Item {
	return slices.DeleteFunc(slices.Clone(m.items), func(i Item) bool { return i.State == Gone })
}

// All is that with what was discarded.
func (m *Machine) All() []Item { return slices.Clone(m.items) }

// Step takes one input and returns its effects. The slice is valid until the
// next call.
func (m *Machine) Step(now time.Time, in any) []any {
	m.effects = m.effects[:0]
	switch in := in.(type) {
	case Learn:
		for _, item := range in.Items {
			m.learn(item)
		}
	case Lead:
		m.lead = in.On
		m.wait, m.failures = time.Time{}, 0
		for id, h := range m.held {
			m.held[id] = held{tries: h.tries}
		}
		for _, item := range m.items {
			if item.State == Queued && !in.On {
				m.emit(Tell{item}) // whoever leads now may not have it
			}
		}
	case Answered:
		m.answered(now, in)
	case Retry:
		if item := m.find(in.ID); item != nil && item.State == Rejected {
			delete(m.held, item.ID)
			item.State, item.Code, item.Problem, item.Based = Queued, "", "", wire.Cursor{}
			m.changed(item)
		}
	case Discard:
		if item := m.find(in.ID); item != nil && item.State != Sent && item.State != Gone && item.ID != m.sending {
			item.State = Gone
			delete(m.held, item.ID)
			m.changed(item) // it is remembered: another tab may not have heard
		}
	case Tick:
	}
	m.send(now)
	return m.effects
}

func (m *Machine) emit(e any) { m.effects = append(m.effects, e) }

func (m *Machine) find(id string) *Item {
	if i, found := slices.BinarySearchFunc(m.items, id, byID); found {
		return &m.items[i]
	}
	return nil
}

func byID(i Item, id string) int { return strings.Compare(i.ID, id) }

// learn takes an item over, unless what is known of it says more. Who told it may
// have missed that.
func (m *Machine) learn(item Item) {
	i, found := slices.BinarySearchFunc(m.items, item.ID, byID)
	switch {
	case !found: // also what was discarded: who told it may not be the only one who had it
		m.items = slices.Insert(m.items, i, item)
	case weight(item) > weight(m.items[i]):
		m.items[i] = item
	case weight(item) < weight(m.items[i]):
		m.emit(Tell{m.items[i]})
	}
	m.trim()
}

// weight orders versions of one item: that it was sent is a fact, that it was
// discarded the user's last word; else the later one counts.
func weight(i Item) int {
	const most = 1 << 30
	switch i.State {
	case Sent:
		return most
	case Gone:
		return most - 1
	}
	return i.Rev
}

// trim forgets all but the last of what was sent.
func (m *Machine) trim() {
	done := 0
	for i := len(m.items) - 1; i >= 0; i-- {
		if s := m.items[i].State; s == Sent || s == Gone {
			if done++; done > maxDone {
				m.items = slices.Delete(m.items, i, i+1)
			}
		}
	}
}

// changed keeps a new version of an item, and tells it.
func (m *Machine) changed(item *Item) {
	item.Rev++
	switch item.State {
	case Sent, Gone:
		m.emit(Forget{item.ID})
	default:
		m.emit(Save{*item})
	}
	m.emit(Tell{*item})
}

// send sends the oldest item, one at a time: so the order is kept, for every
// subject and, but for what is held, on the whole.
func (m *Machine) send(now time.Time) {
	if !m.lead || m.sending != "" {
		return
	}
	item, next := m.due(now)
	switch {
	case item == nil && next.IsZero():
	case item == nil:
		m.emit(Alarm{next})
	case now.Before(m.wait):
		m.emit(Alarm{m.wait})
	default:
		m.sending = item.ID
		m.emit(Send{*item, now.Sub(item.Written) > lookAfter})
	}
}

// due is the oldest item that may be sent, or when the first will be. What is held
// holds up what was written after it about the same.
func (m *Machine) due(now time.Time) (oldest *Item, next time.Time) {
	behind := map[string]bool{}
	for i := range m.items {
		item := &m.items[i]
		if item.State != Queued {
			continue
		}
		until := m.held[item.ID].until
		if !behind[item.Subject] && !now.Before(until) {
			return item, time.Time{}
		}
		if now.Before(until) && (next.IsZero() || until.Before(next)) {
			next = until
		}
		behind[item.Subject] = true
	}
	return nil, next
}

func (m *Machine) answered(now time.Time, a Answered) {
	if a.ID != m.sending {
		return
	}
	m.sending = ""
	item, before := m.find(a.ID), m.held[a.ID]
	delete(m.held, a.ID)
	switch {
	case item == nil:
	case a.Cursor != wire.Cursor{}:
		m.failures, m.wait = 0, time.Time{}
		item.State, item.Cursor, item.Done, item.Code, item.Problem = Sent, a.Cursor, now, "", ""
		m.changed(item)
		m.rebase(*item)
		m.trim()
	case final(a), between(a) && before.tries+1 >= maxTries:
		m.failures, m.wait = 0, time.Time{}
		item.State, item.Code, item.Problem, item.Done = Rejected, a.Code, a.Problem, now
		m.changed(item)
	case between(a):
		m.failures, m.wait = 0, time.Time{}
		if m.held == nil {
			m.held = map[string]held{}
		}
		m.held[a.ID] = held{before.tries + 1, now.Add(max(a.RetryAfter, pause(before.tries)))}
	default:
		m.failures++
		m.wait = now.Add(max(a.RetryAfter, pause(m.failures-1)))
	}
}

// pause is how long to wait after one failure and as many before it.
func pause(before int) time.Duration { return min(maxPause, minPause<<min(before, 10)) }

// between tells whether something before the broker refuses this item, where it
// lets others through: too large, or not allowed by a firewall, some of which say
// so with 200. It may be mended, but nothing else is to wait for that.
func between(a Answered) bool {
	refuses := a.Status == 200 || a.Status >= 400 && a.Status < 500
	return a.Reachable && strings.HasPrefix(a.Code, "http_") && refuses && !patient(a.Status)
}

// final tells whether no other attempt will help. What did not come from the
// broker, or asks for patience or a sign-in, is not the last word.
func final(a Answered) bool {
	switch {
	case a.Status < 400 || a.Status >= 500 || strings.HasPrefix(a.Code, "http_"):
		return false
	}
	return !patient(a.Status) && a.Code != "regranted"
}

// patient tells whether a refusal asks for a sign-in, or for time.
func patient(status int) bool {
	switch status {
	case 401, 407, 408, 425, 429:
		return true
	}
	return false
}

// rebase moves what was written after an item, about the same thing, to the
// state that the item led to.
func (m *Machine) rebase(sent Item) {
	for i := range m.items {
		item := &m.items[i]
		if item.State == Queued && item.Key == sent.Key && item.Key != "" && item.ID > sent.ID && item.Based != (wire.Cursor{}) {
			item.Based = sent.Cursor
			m.changed(item)
		}
	}
}
