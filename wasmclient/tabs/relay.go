package tabs

import (
	"fmt"
	"slices"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// maxRing is how many events a relay keeps. A tab that missed more reads them
// from the broker's history.
const maxRing = 1000

// A Relay is what the leading tab does for those that follow. It is not safe for
// concurrent use.
type Relay struct {
	tab    string
	terms  int
	term   string
	types  []event.Type // that the connection asks for; nil: all
	status conn.Status

	ready   bool // it has a place
	grant   string
	base    wire.Cursor // the ring begins after it
	cursor  wire.Cursor // and ends here
	head    wire.Cursor // of the connection's hello
	ring    []kept
	n       uint64 // messages of frames in this term
	pending []byte // lines since the last of them

	waiting map[string]Message // attaches that came before there was a place
	out     []Message
}

type kept struct {
	at   wire.Cursor
	line []byte
}

// NewRelay starts to lead. terms is how often this tab has led before.
func NewRelay(tab string, terms int, types []event.Type, status conn.Status) *Relay {
	r := &Relay{tab: tab, terms: terms, types: types, status: status, waiting: map[string]Message{}}
	r.begin()
	return r
}

// begin starts a term: whoever is attached to the last one asks anew.
func (r *Relay) begin() {
	r.terms++
	r.term = fmt.Sprintf("%s/%d", r.tab, r.terms)
	r.n, r.pending = 0, nil
	r.post(Message{Kind: Lead, Term: r.term})
}

// Terms is how often this tab has led.
func (r *Relay) Terms() int { return r.terms }

// Types are those that the connection must ask for; nil is all.
func (r *Relay) Types() []event.Type { return r.types }

// Resume gives the relay the place at which its connection will go on, so that
// tabs can attach before it is there.
func (r *Relay) Resume(at wire.Cursor, grant string) { r.place(at, at, grant) }

func (r *Relay) place(at, head wire.Cursor, grant string) {
	if r.ready && (at != r.cursor || grant != r.grant) {
		r.begin() // not where it was: nothing of before goes on
	}
	if !r.ready || at != r.cursor || grant != r.grant {
		r.base, r.ring = at, nil
	}
	r.ready, r.cursor, r.head, r.grant = true, at, head, grant
	for _, m := range r.waiting {
		r.attach(m)
	}
	clear(r.waiting)
}

// Deliver takes a frame that the connection delivered.
func (r *Relay) Deliver(f wire.Frame) {
	switch f := f.(type) {
	case *wire.Hello:
		r.place(f.Start, f.Head, f.Grant)
	case *wire.Event:
		if len(r.ring) == maxRing {
			r.base, r.ring = r.ring[0].at, slices.Delete(r.ring, 0, 1)
		}
		line := wire.AppendJSON(nil, f)
		r.cursor = f.Cursor
		r.ring = append(r.ring, kept{f.Cursor, line})
		r.pending = append(r.pending, line...)
		return
	case *wire.Gap:
		r.base, r.cursor, r.ring = f.To, f.To, nil
	case *wire.Heartbeat:
		r.cursor = f.Cursor
	default:
		return
	}
	r.pending = wire.AppendJSON(r.pending, f)
}

// SetStatus takes the connection's status.
func (r *Relay) SetStatus(s conn.Status) {
	r.status = s
	r.flush()
	r.post(Message{Kind: Status, Term: r.term, Status: &s})
}

// Attach takes a tab's question. widen tells that the connection must ask for
// more types than it did, from its place on.
func (r *Relay) Attach(m Message) (widen bool) {
	if r.types != nil && (len(m.Types) == 0 || slices.ContainsFunc(m.Types, func(t event.Type) bool { return !slices.Contains(r.types, t) })) {
		widen = true
		r.types = union(r.types, m.Types)
		r.base, r.ring = r.cursor, nil // it lacks what was not asked for
	}
	if r.ready {
		r.attach(m)
	} else {
		r.waiting[m.From] = m
	}
	return widen
}

// union of two sets of types; an empty one is all.
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

func (r *Relay) attach(m Message) {
	r.flush()
	status := r.status
	answer := Message{To: m.From, Kind: Attached, Term: r.term, Ask: m.Ask, N: r.n, Start: m.After, Head: r.head, Grant: r.grant, Status: &status}
	if m.After == (wire.Cursor{}) {
		answer.Start = r.cursor
	} else if m.After.Epoch != r.base.Epoch || m.After.Seq < r.base.Seq {
		answer.Start = r.base
	}
	var lines []byte
	for _, k := range r.ring {
		if k.at.Seq > answer.Start.Seq {
			lines = append(lines, k.line...)
		}
	}
	answer.Lines = string(lines)
	r.post(answer)
}

// End says that this tab leads no more.
func (r *Relay) End() { r.post(Message{Kind: Left, Term: r.term}) }

// Flush returns the messages to post, in their order.
func (r *Relay) Flush() []Message {
	r.flush()
	out := r.out
	r.out = nil
	return out
}

func (r *Relay) flush() {
	if len(r.pending) > 0 {
		r.n++
		r.post(Message{Kind: Frames, Term: r.term, N: r.n, Lines: string(r.pending)})
		r.pending = nil
	}
}

func (r *Relay) post(m Message) {
	m.From = r.tab
	r.out = append(r.out, m)
}
