package tabs

import (
	"strings"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

// What a Reader wants done.
type (
	// Say posts a message.
	Say struct{ Message Message }
	// Take is a frame, in order; the first is a hello.
	Take struct{ Frame wire.Frame }
	// CatchUp asks for what comes after From through To out of the broker's
	// history; CaughtUp answers.
	CatchUp struct{ From, To wire.Cursor }
	// Mirror is the status of the leader's connection.
	Mirror struct{ Status conn.Status }
	// Lost says that the leader is another, or that something was missed: the
	// reader is over.
	Lost struct{}
)

// maxBehind is how many frames wait while the history is read.
const maxBehind = 10_000

// A Reader is one attachment of a following tab. It is not safe for concurrent
// use.
type Reader struct {
	ask    Message
	term   string // "" until attached
	leads  string // the last term that was announced; "" none
	n      uint64
	oldest bool
	behind bool // the history is being read
	buffer []wire.Frame
	over   bool
	out    []any
}

// NewReader makes a reader of what comes after a place, zero for what comes from
// now on, or with oldest for everything. ask tells it from the tab's other
// readers.
func NewReader(tab string, ask int, after wire.Cursor, oldest bool, types []event.Type) *Reader {
	return &Reader{ask: Message{From: tab, Kind: Attach, Ask: ask, After: after, Types: types}, oldest: oldest}
}

// Start returns the question. If nobody leads yet it is repeated by Take.
func (r *Reader) Start() []any { return []any{Say{r.ask}} }

// Take takes any message of another tab.
func (r *Reader) Take(m Message) []any {
	r.out = r.out[:0]
	if m.Kind == Lead {
		r.leads = m.Term
	}
	switch {
	case r.over || m.To != "" && m.To != r.ask.From:
	case m.Kind == Lead && r.term == "":
		r.emit(Say{r.ask})
	case m.Kind == Lead && m.Term != r.term, m.Kind == Left && m.Term == r.term:
		r.lost()
	case m.Kind == Attached && r.term == "" && m.Ask == r.ask.Ask && (r.leads == "" || r.leads == m.Term):
		r.attached(m)
	case m.Kind == Status && r.term == "" && m.Status != nil: // better than nothing
		r.emit(Mirror{*m.Status})
	case m.Term == "" || m.Term != r.term:
	case m.Kind == Frames && m.N == r.n+1:
		r.n++
		r.frames(m.Lines)
	case m.Kind == Frames && m.N > r.n:
		r.lost()
	case m.Kind == Status && m.Status != nil:
		r.emit(Mirror{*m.Status})
	}
	return r.out
}

func (r *Reader) emit(o any) { r.out = append(r.out, o) }

func (r *Reader) lost() {
	r.over = true
	r.emit(Lost{})
}

func (r *Reader) attached(m Message) {
	r.term, r.n = m.Term, m.N
	after := r.ask.After
	switch {
	case after != wire.Cursor{}:
	case r.oldest:
		after = wire.Cursor{Epoch: m.Start.Epoch}
	default:
		after = m.Start
	}
	r.emit(Take{&wire.Hello{Start: after, Head: m.Head, Grant: m.Grant}})
	if m.Status != nil {
		r.emit(Mirror{*m.Status})
	}
	switch {
	case m.Start == after:
	case m.Start.Epoch != after.Epoch:
		r.emit(Take{&wire.Gap{From: after, To: m.Start}})
	default:
		r.behind = true
		r.emit(CatchUp{after, m.Start})
	}
	r.frames(m.Lines)
}

func (r *Reader) frames(lines string) {
	for line := range strings.Lines(lines) {
		f, err := wire.ParseJSON([]byte(line))
		if err != nil {
			r.lost() // a build that writes otherwise, under the same version
			return
		}
		switch {
		case f == nil:
		case !r.behind:
			r.emit(Take{f})
		case len(r.buffer) == maxBehind:
			r.lost()
			return
		default:
			r.buffer = append(r.buffer, f)
		}
	}
}

// CaughtUp goes on after the history was read.
func (r *Reader) CaughtUp() []any {
	r.out = r.out[:0]
	r.behind = false
	for _, f := range r.buffer {
		r.emit(Take{f})
	}
	r.buffer = nil
	return r.out
}
