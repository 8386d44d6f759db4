package tabs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/scripttest"
)

// TestMachinesFollowTheirScripts plays the scripts of testdata.
func TestMachinesFollowTheirScripts(t *testing.T) {
	scripttest.Run(t, func(t *testing.T) func(string) []string {
		return (&player{t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}).do
	})
}

type player struct {
	t      *testing.T
	now    time.Time
	alarm  time.Time
	member *Member
	relay  *Relay
	reader *Reader
}

// do runs one line: a verb, words, and key=value.
func (p *player) do(line string) []string {
	p.t.Helper()
	verb, words, keys := scripttest.Split(line)
	var n int
	if len(words) > 0 {
		fmt.Sscan(words[0], &n)
	}
	step := func(in MemberInput) []string { return show(p, p.member.Step(p.now, in)) }
	switch verb {
	case "member":
		p.member = NewMember(keys["locks"] != "false", keys["visible"] != "false", 30*time.Second)
	case "join":
		return step(Join{})
	case "leave":
		return step(Leave{})
	case "granted":
		return step(Granted{n})
	case "refused":
		return step(Refused{n})
	case "unseen":
		return step(Unseen{n})
	case "confirmed":
		return step(Confirmed{n, keys["wanted"] == "true"})
	case "appeared":
		return step(Appeared{})
	case "vanished":
		return step(Vanished{})
	case "heard":
		return step(Heard{Message{Kind: Kind(words[0])}})
	case "wait":
		d, err := time.ParseDuration(words[0])
		if err != nil {
			p.t.Fatal(line, err)
		}
		p.now = p.now.Add(d)
	case "alarm":
		if p.alarm.IsZero() {
			p.t.Fatal(line, "none is set")
		}
		if p.alarm.After(p.now) {
			p.now = p.alarm
		}
		return step(Tick{})
	default:
		return p.stream(line, verb, words, keys)
	}
	return nil
}

// stream runs a line of a relay or a reader.
func (p *player) stream(line, verb string, words []string, keys map[string]string) []string {
	p.t.Helper()
	cursor := func(s string) wire.Cursor {
		c, err := wire.ParseCursor(s)
		if err != nil {
			p.t.Fatal(line, err)
		}
		return c
	}
	message := func(kind Kind, frames ...wire.Frame) Message {
		m := Message{
			From:  "b",
			To:    keys["to"],
			Kind:  kind,
			Term:  keys["term"],
			After: cursor(keys["after"]),
			Start: cursor(keys["start"]),
			Head:  cursor(keys["head"]),
			Grant: keys["grant"],
		}
		fmt.Sscan(keys["n"], &m.Number)
		fmt.Sscan(keys["ask"], &m.Request)
		for name := range strings.SplitSeq(keys["types"], ",") {
			if name != "" {
				m.Types = append(m.Types, event.Type(name))
			}
		}
		for _, w := range words {
			f := &wire.Event{Cursor: cursor(w), Event: event.Example(event.TypeSyncProgress)}
			m.Lines += string(wire.AppendJSON(nil, f))
		}
		if keys["status"] != "" {
			m.Status = &conn.Status{State: conn.State(keys["status"])}
		}
		return m
	}
	switch verb {
	case "relay":
		p.relay = NewRelay("a", 0, message("").Types, conn.Status{State: conn.Connecting})
	case "resume":
		p.relay.Resume(cursor(words[0]), keys["grant"])
	case "hello":
		p.relay.Deliver(&wire.Hello{Start: cursor(words[0]), Head: cursor(keys["head"]), Grant: keys["grant"]})
	case "event":
		for _, w := range words {
			p.relay.Deliver(&wire.Event{Cursor: cursor(w), Event: event.Example(event.TypeSyncProgress)})
		}
	case "heartbeat":
		p.relay.Deliver(&wire.Heartbeat{Cursor: cursor(words[0])})
	case "gap":
		p.relay.Deliver(&wire.Gap{From: cursor(words[0]), To: cursor(words[1])})
	case "status":
		p.relay.SetStatus(conn.Status{State: conn.State(words[0])})
	case "asked":
		if p.relay.Attach(message(Attach)) {
			return append([]string{fmt.Sprintf("widen to %v", p.relay.Types())}, p.flushed()...)
		}
	case "reader":
		var request int
		fmt.Sscan(keys["ask"], &request)
		p.reader = NewReader("a", request, cursor(keys["after"]), keys["oldest"] == "true", nil)
		return show(p, p.reader.Start())
	case "take":
		kind := Kind(words[0])
		words = words[1:]
		return show(p, p.reader.Handle(message(kind)))
	case "caught-up":
		return show(p, p.reader.HandleCaughtUp())
	default:
		p.t.Fatalf("unknown: %s", line)
	}
	return p.flushed()
}

func (p *player) flushed() (out []string) {
	for _, m := range p.relay.Flush() {
		out = append(out, showMessage(m))
	}
	return out
}

func showMessage(m Message) string {
	out := "post " + string(m.Kind)
	add := func(name, value string) {
		if value != "" {
			out += " " + name + "=" + value
		}
	}
	add("to", m.To)
	add("term", m.Term)
	if m.Request > 0 {
		add("ask", fmt.Sprint(m.Request))
	}
	if m.Kind == Frames || m.Kind == Attached {
		add("n", fmt.Sprint(m.Number))
	}
	add("after", m.After.String())
	add("start", m.Start.String())
	add("head", m.Head.String())
	if m.Status != nil {
		add("status", string(m.Status.State))
	}
	for line := range strings.Lines(m.Lines) {
		f, err := wire.ParseJSON([]byte(line))
		if err != nil {
			return err.Error()
		}
		out += " " + showFrame(f)
	}
	return out
}

func showFrame(f wire.Frame) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", f), "*wire.")) + ":" + f.ReachedCursor().String()
}

// show returns effects as lines. Times are relative to now.
func show[E any](p *player, effects []E) (lines []string) {
	for _, e := range effects {
		lines = append(lines, p.line(e))
	}
	return lines
}

func (p *player) line(effect any) string {
	switch e := effect.(type) {
	case MemberEffect:
		return p.memberLine(e)
	case PostMessage:
		return showMessage(e.Message)
	case DeliverFrame:
		return "take " + showFrame(e.Frame)
	case CatchUp:
		return fmt.Sprintf("catch up %s to %s", e.From, e.To)
	case Mirror:
		return "mirror " + string(e.Status.State)
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("%T", effect)
}

func (p *player) memberLine(effect MemberEffect) string {
	switch e := effect.(type) {
	case Acquire:
		if e.Steal {
			return fmt.Sprintf("steal #%d", e.Request)
		}
		return fmt.Sprintf("acquire #%d", e.Request)
	case Release:
		return fmt.Sprintf("release #%d", e.Request)
	case ShareVisible:
		return fmt.Sprintf("share visible: %v", e.On)
	case AwaitUnseen:
		return fmt.Sprintf("await unseen #%d", e.Request)
	case EndUnseen:
		return fmt.Sprintf("end unseen #%d", e.Request)
	case Confirm:
		return fmt.Sprintf("confirm #%d", e.Request)
	case OtherLeads:
		return fmt.Sprintf("another leads: %v", e.On)
	case Become:
		return "become " + string(e.Role)
	case Post:
		return "post " + string(e.Kind)
	case Sleep:
		return "sleep"
	case Wake:
		return "wake"
	case Alarm:
		p.alarm = e.At
		if e.At.IsZero() {
			return "no alarm"
		}
		return fmt.Sprintf("alarm in %v", e.At.Sub(p.now))
	}
	return fmt.Sprintf("%T", effect)
}
