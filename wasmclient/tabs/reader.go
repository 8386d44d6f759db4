package tabs

import (
	"strings"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// maxBuffered is the greatest number of frames that wait while the history is read. If there are
// more, the reader ends.
const maxBuffered = 10_000

// A Reader is one attachment of a following tab. It is not safe for concurrent use.
type Reader struct {
	question    Message // the message of kind Attach
	term        string  // the term to which the reader is attached; empty before
	currentTerm string  // the last term that a leader has announced; empty if none has
	number      uint64  // the number of the last message with frames
	oldest      bool
	catchingUp  bool // the driver reads the history
	buffer      []wire.Frame
	ended       bool
	effects     []ReaderEffect
}

// NewReader makes a reader of the events of some types after a cursor. If after is zero, the reader
// begins with live events, or with the oldest event of the log if oldest is true. request distinguishes
// the reader from the tab's other readers.
func NewReader(tab string, request int, after wire.Cursor, oldest bool, types []event.Type) *Reader {
	question := Message{From: tab, Kind: Attach, Request: request, After: after, Types: types}
	return &Reader{question: question, oldest: oldest}
}

// Start returns the question to the leader. If no tab leads yet, the reader asks again at the
// message of the next leader.
func (r *Reader) Start() []ReaderEffect { return []ReaderEffect{PostMessage{r.question}} }

// Handle handles any message of another tab and returns the effects. The slice is valid until the
// next call.
func (r *Reader) Handle(m Message) []ReaderEffect {
	r.effects = r.effects[:0]
	if m.Kind == Lead {
		r.currentTerm = m.Term
	}
	switch {
	case r.ended || m.To != "" && m.To != r.question.From:
	case m.Kind == Lead && r.term == "":
		r.emit(PostMessage{r.question})
	case m.Kind == Lead && m.Term != r.term, m.Kind == Left && m.Term == r.term:
		r.end()
	case m.Kind == Attached && r.isAnswer(m):
		r.handleAttached(m)
	case m.Kind == Status && r.term == "" && m.Status != nil: // the user sees at least the leader's status
		r.emit(Mirror{*m.Status})
	case m.Term == "" || m.Term != r.term:
	case m.Kind == Frames && m.Number == r.number+1:
		r.number++
		r.handleLines(m.Lines)
	case m.Kind == Frames && m.Number > r.number: // a message is missing
		r.end()
	case m.Kind == Status && m.Status != nil:
		r.emit(Mirror{*m.Status})
	}
	return r.effects
}

// isAnswer reports whether a message Attached answers the reader's question.
func (r *Reader) isAnswer(m Message) bool {
	isCurrent := r.currentTerm == "" || r.currentTerm == m.Term
	return r.term == "" && m.Request == r.question.Request && isCurrent
}

func (r *Reader) emit(e ReaderEffect) { r.effects = append(r.effects, e) }

func (r *Reader) end() {
	r.ended = true
	r.emit(Lost{})
}

// handleAttached begins with a hello. If the relay begins later than the reader's cursor, the
// events in between come from the broker's history.
func (r *Reader) handleAttached(m Message) {
	r.term, r.number = m.Term, m.Number
	after := r.question.After
	switch {
	case after != wire.Cursor{}:
	case r.oldest:
		after = wire.Cursor{Epoch: m.Start.Epoch}
	default:
		after = m.Start
	}
	r.emit(DeliverFrame{&wire.Hello{Start: after, Head: m.Head, Grant: m.Grant}})
	if m.Status != nil {
		r.emit(Mirror{*m.Status})
	}
	switch {
	case m.Start == after:
	case m.Start.Epoch != after.Epoch:
		r.emit(DeliverFrame{&wire.Gap{From: after, To: m.Start}})
	default:
		r.catchingUp = true
		r.emit(CatchUp{after, m.Start})
	}
	r.handleLines(m.Lines)
}

// handleLines delivers frames, or keeps them while the history is read.
func (r *Reader) handleLines(lines string) {
	for line := range strings.Lines(lines) {
		f, err := wire.ParseJSON([]byte(line))
		if err != nil { // another build writes other lines under the same version
			r.end()
			return
		}
		switch {
		case f == nil:
		case !r.catchingUp:
			r.emit(DeliverFrame{f})
		case len(r.buffer) == maxBuffered:
			r.end()
			return
		default:
			r.buffer = append(r.buffer, f)
		}
	}
}

// HandleCaughtUp goes on after the history was read, and returns the effects. The slice is valid
// until the next call.
func (r *Reader) HandleCaughtUp() []ReaderEffect {
	r.effects = r.effects[:0]
	r.catchingUp = false
	for _, f := range r.buffer {
		r.emit(DeliverFrame{f})
	}
	r.buffer = nil
	return r.effects
}
