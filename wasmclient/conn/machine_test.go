package conn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient/scripttest"
)

// TestMachineFollowsItsScripts plays the scripts of testdata.
func TestMachineFollowsItsScripts(t *testing.T) {
	scripttest.Run(t, func(t *testing.T) func(string) []string {
		p := &player{now: start}
		return func(line string) (lines []string) {
			for _, e := range p.do(t, line) {
				lines = append(lines, p.show(e))
			}
			return lines
		}
	})
}

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ladderOf(names string) (l []Transport) {
	for name := range strings.SplitSeq(names, ",") {
		if name != "" {
			l = append(l, Transport(name))
		}
	}
	return l
}

type player struct {
	m       *Machine
	now     time.Time
	alarm   time.Time
	attempt int
}

// do runs one line: a verb, words, and key=value.
func (p *player) do(t *testing.T, line string) []Effect {
	verb, words, keys := scripttest.Split(line)
	cursor := func(s string) wire.Cursor {
		c, err := wire.ParseCursor(s)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return c
	}
	duration := func(s string) time.Duration {
		if s == "" {
			return 0
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return d
	}
	attempt := p.attempt
	if keys["attempt"] != "" {
		fmt.Sscan(keys["attempt"], &attempt)
	}
	frame := func(f wire.Frame) []Effect { return p.m.Step(p.now, Frame{attempt, f}) }
	switch verb {
	case "machine":
		var backfill uint64
		fmt.Sscan(keys["backfill"], &backfill)
		p.m = New(Config{
			Snapshot: keys["snapshot"] == "true",
			Backfill: backfill,
			Ladder:   ladderOf(keys["ladder"]),
			After:    cursor(keys["after"]),
			Random:   func() float64 { return 0.5 },
		})
	case "start":
		return p.m.Step(p.now, Start{})
	case "stop":
		return p.m.Step(p.now, Stop{})
	case "pause":
		return p.m.Step(p.now, Pause{keys["code"]})
	case "resume":
		return p.m.Step(p.now, Resume{keys["code"]})
	case "follow":
		return p.m.Step(p.now, Follow{})
	case "lead":
		return p.m.Step(p.now, Lead{})
	case "upstream":
		s := Status{State: State(words[0]), Transport: Transport(keys["by"])}
		if keys["retry-in"] != "" {
			s.RetryAt = p.now.Add(duration(keys["retry-in"]))
		}
		return p.m.Step(p.now, Upstream{attempt, s})
	case "reopen":
		return p.m.Step(p.now, Reopen{})
	case "woke":
		return p.m.Step(p.now, Woke{})
	case "online":
		return p.m.Step(p.now, Online{})
	case "offline":
		return p.m.Step(p.now, GoneOffline{})
	case "wait":
		p.now = p.now.Add(duration(words[0]))
		if !p.alarm.IsZero() && !p.now.Before(p.alarm) {
			t.Fatalf("%s: the alarm would have gone off", line)
		}
	case "alarm":
		if p.alarm.IsZero() {
			t.Fatalf("%s: none is set", line)
		}
		p.now = p.alarm
		return p.m.Step(p.now, Tick{})
	case "snapshot":
		return p.m.Step(p.now, Snapshot{attempt, cursor(words[0]), keys["grant"]})
	case "hello":
		return frame(&wire.Hello{
			Start:     cursor(words[0]),
			Head:      cursor(keys["head"]),
			Heartbeat: 15 * time.Second,
			Retry:     duration(keys["retry"]),
			Grant:     keys["grant"],
		})
	case "event":
		return frame(&wire.Event{Cursor: cursor(words[0]), Event: event.Example(event.TypeSyncProgress)})
	case "heartbeat":
		return frame(&wire.Heartbeat{Cursor: cursor(words[0])})
	case "gap":
		return frame(&wire.Gap{From: cursor(words[0]), To: cursor(words[1])})
	case "unreadable":
		return frame(&wire.Unreadable{Cursor: cursor(words[0])})
	case "bye":
		return frame(&wire.Bye{Reason: wire.Reason(words[0]), Delay: duration(keys["delay"])})
	case "ended":
		var status int
		fmt.Sscan(keys["status"], &status)
		f := Failure{status, keys["from"] != "proxy", keys["code"], duration(keys["retry-after"])}
		return p.m.Step(p.now, Ended{attempt, f})
	default:
		t.Fatalf("unknown: %s", line)
	}
	return nil
}

// show is an effect as a line; times are relative to now.
func (p *player) show(e Effect) string {
	switch e := e.(type) {
	case FetchSnapshot:
		p.attempt = e.Attempt
		return fmt.Sprintf("fetch snapshot #%d", e.Attempt)
	case Open:
		p.attempt = e.Attempt
		by := ""
		if e.Transport != SSE {
			by = " by " + string(e.Transport)
		}
		return strings.TrimSpace(fmt.Sprintf("open #%d %s", e.Attempt, e.After)) + by
	case Abort:
		return fmt.Sprintf("abort #%d", e.Attempt)
	case Alarm:
		if p.alarm = e.At; e.At.IsZero() {
			return "no alarm"
		}
		return fmt.Sprintf("alarm in %v", e.At.Sub(p.now))
	case Deliver:
		replayed := ""
		if e.Replayed {
			replayed = " replayed"
		}
		kind := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e.Frame), "*wire."))
		return fmt.Sprintf("deliver %s %s%s", kind, e.Frame.ReachedCursor(), replayed)
	case Changed:
		out := "status " + string(e.Status.State)
		if e.Status.Code != "" {
			out += " code=" + e.Status.Code
		}
		if !e.Status.RetryAt.IsZero() {
			out += fmt.Sprintf(" retry in %v", e.Status.RetryAt.Sub(p.now))
		}
		if e.Status.Transport != "" && e.Status.Transport != SSE {
			out += " by " + string(e.Status.Transport)
		}
		if e.Status.Attempt > 0 {
			out += fmt.Sprintf(" failures=%d", e.Status.Attempt)
		}
		return out
	}
	return fmt.Sprintf("%T", e)
}

func TestRetryDelayStaysWithinItsBounds(t *testing.T) {
	for n := 1; n < 100; n++ {
		low, high := delay(n, time.Second, 0), delay(n, time.Second, 0.999999)
		if low != time.Second || high > 30*time.Second || n > 5 && high < 29*time.Second {
			t.Errorf("attempt %d: %v to %v", n, low, high)
		}
	}
	if got := delay(1, time.Minute, 0.5); got != 30*time.Second {
		t.Errorf("the broker asks for more than the greatest delay: got %v", got)
	}
}
