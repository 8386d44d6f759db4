package tabs

import (
	"fmt"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// maxKept is the number of events that a relay keeps. A tab that missed more reads them from the
// broker's history.
const maxKept = 1000

// A Relay passes what the leading tab's connection delivers to the tabs that follow. It is not safe
// for concurrent use.
type Relay struct {
	tab    string
	terms  int    // the number of terms in which this tab has led
	term   string // the name of the present one
	types  []event.Type
	status conn.Status

	hasPlace bool // the connection's cursor is known
	grant    string
	base     wire.Cursor // kept begins after it
	cursor   wire.Cursor // kept ends here
	head     wire.Cursor // the log's head at the connection's hello
	kept     []keptEvent
	number   uint64 // the number of messages with frames in this term
	pending  []byte // frames since the last of them

	waiting  map[string]Message // questions of followers, by tab, from before there was a place
	messages []Message
}

type keptEvent struct {
	at   wire.Cursor
	line []byte
}

// NewRelay begins to lead. terms is the number of terms in which this tab has led before. types are
// those that the connection asks for; nil means all.
func NewRelay(tab string, terms int, types []event.Type, status conn.Status) *Relay {
	r := &Relay{tab: tab, terms: terms, types: types, status: status, waiting: map[string]Message{}}
	r.beginTerm()
	return r
}

// beginTerm begins a term: the followers that are attached to the last one ask again.
func (r *Relay) beginTerm() {
	r.terms++
	r.term = fmt.Sprintf("%s/%d", r.tab, r.terms)
	r.number, r.pending = 0, nil
	r.post(Message{Kind: Lead, Term: r.term})
}

// Terms returns the number of terms in which this tab has led.
func (r *Relay) Terms() int { return r.terms }

// Types returns the types that the connection must ask for. Nil means all.
func (r *Relay) Types() []event.Type { return r.types }

// Resume sets the place at which the connection will go on, so that tabs can attach before the
// connection is open.
func (r *Relay) Resume(at wire.Cursor, grant string) { r.setPlace(at, at, grant) }

// setPlace sets the connection's place and answers the questions that waited for it. A connection
// that does not begin at the end of the last one begins a new term.
func (r *Relay) setPlace(at, head wire.Cursor, grant string) {
	goesOn := r.hasPlace && at == r.cursor && grant == r.grant
	if r.hasPlace && !goesOn {
		r.beginTerm()
	}
	if !goesOn {
		r.base, r.kept = at, nil
	}
	r.hasPlace, r.cursor, r.head, r.grant = true, at, head, grant
	for _, m := range r.waiting {
		r.answer(m)
	}
	clear(r.waiting)
}

// Deliver passes on a frame that the connection has delivered.
func (r *Relay) Deliver(f wire.Frame) {
	switch f := f.(type) {
	case *wire.Hello:
		r.setPlace(f.Start, f.Head, f.Grant)
	case *wire.Event:
		if len(r.kept) == maxKept {
			r.base, r.kept = r.kept[0].at, slices.Delete(r.kept, 0, 1)
		}
		line := wire.AppendJSON(nil, f)
		r.cursor = f.Cursor
		r.kept = append(r.kept, keptEvent{f.Cursor, line})
		r.pending = append(r.pending, line...)
		return
	case *wire.Gap:
		r.base, r.cursor, r.kept = f.To, f.To, nil
	case *wire.Heartbeat:
		r.cursor = f.Cursor
	default:
		return
	}
	r.pending = wire.AppendJSON(r.pending, f)
}

// SetStatus passes on the connection's status.
func (r *Relay) SetStatus(s conn.Status) {
	r.status = s
	r.flushFrames()
	r.post(Message{Kind: Status, Term: r.term, Status: &s})
}

// Attach answers a follower's question, now or when the place is known. widened reports that the
// connection must ask for more types from its place on; Types returns them.
func (r *Relay) Attach(m Message) (widened bool) {
	if r.lacks(m.Types) {
		widened = true
		r.types = union(r.types, m.Types)
		r.base, r.kept = r.cursor, nil // the kept events do not include the new types
	}
	if r.hasPlace {
		r.answer(m)
	} else {
		r.waiting[m.From] = m
	}
	return widened
}

// lacks reports whether the connection does not ask for all of these types. Empty means all types.
func (r *Relay) lacks(types []event.Type) bool {
	if r.types == nil {
		return false
	}
	isMissing := func(t event.Type) bool { return !slices.Contains(r.types, t) }
	return len(types) == 0 || slices.ContainsFunc(types, isMissing)
}

// union returns the types that are in either list, in the order of event.Types. An empty list b
// means all types; so does a nil result.
func union(a, b []event.Type) (all []event.Type) {
	if len(b) == 0 {
		return nil
	}
	for _, t := range event.Types {
		if slices.Contains(a, t) || slices.Contains(b, t) {
			all = append(all, t)
		}
	}
	if len(all) == len(event.Types) {
		return nil
	}
	return all
}

// answer posts the answer to a follower: the kept events after its cursor, or all that are kept.
func (r *Relay) answer(question Message) {
	r.flushFrames()
	start := question.After
	if start == (wire.Cursor{}) {
		start = r.cursor
	} else if start.Epoch != r.base.Epoch || start.Seq < r.base.Seq {
		start = r.base
	}
	var lines []byte
	for _, k := range r.kept {
		if k.at.Seq > start.Seq {
			lines = append(lines, k.line...)
		}
	}
	status := r.status
	r.post(Message{
		To:      question.From,
		Kind:    Attached,
		Term:    r.term,
		Request: question.Request,
		Number:  r.number,
		Start:   start,
		Head:    r.head,
		Grant:   r.grant,
		Status:  &status,
		Lines:   string(lines),
	})
}

// End tells the followers that this tab leads no longer.
func (r *Relay) End() { r.post(Message{Kind: Left, Term: r.term}) }

// Flush returns the messages to post since the last call, in their order.
func (r *Relay) Flush() []Message {
	r.flushFrames()
	messages := r.messages
	r.messages = nil
	return messages
}

func (r *Relay) flushFrames() {
	if len(r.pending) > 0 {
		r.number++
		r.post(Message{Kind: Frames, Term: r.term, Number: r.number, Lines: string(r.pending)})
		r.pending = nil
	}
}

func (r *Relay) post(m Message) {
	m.From = r.tab
	r.messages = append(r.messages, m)
}
