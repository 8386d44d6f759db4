package conn

import (
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/snd-rental/yardline/shared/wire"
)

var phases = []phase{idle, fetching, opening, streaming, waiting}

// transitions are the phases that followed an input (by its row of the table) in a phase.
type transitions map[string]map[phase]map[phase]bool

// TestDocumentedTransitionsAreThoseOfTheMachine plays random inputs, and compares the phases that
// follow with the table in doc.go: it must list all of them and no other.
func TestDocumentedTransitionsAreThoseOfTheMachine(t *testing.T) {
	seen := transitions{}
	for seed := range int64(6000) {
		seen.play(rand.New(rand.NewSource(seed)))
	}
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if table := seen.table(t); !strings.Contains(string(text), table) {
		t.Errorf("doc.go does not have the table of the machine:\n%s", table)
	}
}

// play records the transitions of one random machine.
func (seen transitions) play(r *rand.Rand) {
	m := New(Config{Snapshot: r.Intn(2) == 0, Ladder: DefaultLadder[:1+r.Intn(3)], Random: r.Float64})
	now := start
	for range 150 {
		now = now.Add(time.Duration(r.Intn(12)) * time.Second)
		attempt := m.attempt
		if m.trial > 0 && r.Intn(2) == 0 {
			attempt = m.trial
		}
		in := randomInput(r, attempt)
		if r.Intn(2) == 0 {
			in = usualInput(m)
		}
		row, before := rowOf(in), m.phase
		m.Step(now, in)
		if seen[row] == nil {
			seen[row] = map[phase]map[phase]bool{}
		}
		if seen[row][before] == nil {
			seen[row][before] = map[phase]bool{}
		}
		seen[row][before][m.phase] = true
	}
}

// usualInput returns the input that leads the machine on to a stream. It leads random machines into
// phases that they would rarely reach by chance.
func usualInput(m *Machine) Input {
	switch m.phase {
	case idle:
		return Start{}
	case fetching:
		return Snapshot{m.attempt, wire.Cursor{Epoch: "k", Seq: 10}, "g"}
	case opening:
		hello := &wire.Hello{Start: m.cursor, Head: m.cursor, Heartbeat: 15 * time.Second, Grant: m.grant}
		return Frame{m.attempt, hello}
	case waiting:
		return Tick{}
	default:
		return Ended{m.attempt, Failure{Code: "network"}}
	}
}

// rowOf returns the row of the table for an input.
func rowOf(in Input) string {
	if f, isFrame := in.(Frame); isFrame {
		return "Frame " + strings.TrimPrefix(fmt.Sprintf("%T", f.Frame), "*wire.")
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", in), "conn.")
}

// table renders the transitions as doc.go shows them. It fails the test if an input has no row.
func (seen transitions) table(t *testing.T) string {
	source, err := os.ReadFile("input.go")
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("//\t%-18s%-10s%-10s%-10s%-10s%s\n", "", "idle", "fetching", "opening", "streaming", "waiting")
	for _, match := range regexp.MustCompile(`(?m)^func \((\w+)\) isInput`).FindAllStringSubmatch(string(source), -1) {
		rows := []string{match[1]}
		if match[1] == "Frame" {
			rows = nil
			for _, kind := range []string{"Hello", "Event", "Heartbeat", "Gap", "Unreadable", "Bye"} {
				rows = append(rows, "Frame "+kind)
			}
		}
		for _, row := range rows {
			if seen[row] == nil {
				t.Errorf("the test never played %s", row)
			}
			line := fmt.Sprintf("%-18s", row)
			for _, before := range phases {
				line += fmt.Sprintf("%-10s", entry(before, seen[row][before]))
			}
			out += "//\t" + strings.TrimRight(line, " ") + "\n"
		}
	}
	return out
}

// entry lists the phases that may follow a phase, "-" if it never changes.
func entry(before phase, after map[phase]bool) string {
	if len(after) == 1 && after[before] {
		return "-"
	}
	var letters []string
	for _, p := range phases {
		if after[p] {
			letters = append(letters, string("IFOSW"[p]))
		}
	}
	return strings.Join(letters, " ")
}

// randomInput returns one of all inputs. Those that belong to an attempt belong to this one.
func randomInput(r *rand.Rand, attempt int) Input {
	commands := []Input{Start{}, Stop{}, Pause{}, Resume{}, Woke{}, Follow{}, Lead{}, Reopen{}, Online{}, GoneOffline{}}
	switch n := r.Intn(25); n {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
		return commands[n]
	case 10:
		return Tick{}
	case 11:
		return Upstream{attempt, Status{State: []State{Live, Limited}[r.Intn(2)]}}
	case 12, 13:
		return Snapshot{attempt, randomCursor(r), randomGrant(r)}
	case 14, 15, 16, 17, 18, 19, 20, 21:
		return Frame{attempt, randomFrame(r)}
	case 22:
		return Ended{attempt, Failure{Status: 400, FromBroker: true, Code: "invalid_cursor"}}
	default:
		statuses := []int{0, 200, 204, 302, 401, 403, 409, 429, 503, 426}
		codes := []string{"no_hello", "network", "regranted", LeaderChanged, NoNetwork}
		return Ended{attempt, Failure{
			Status:     statuses[r.Intn(len(statuses))],
			Code:       codes[r.Intn(len(codes))],
			FromBroker: r.Intn(2) == 0,
			RetryAfter: time.Duration(r.Intn(2)) * time.Minute,
		}}
	}
}

func randomFrame(r *rand.Rand) wire.Frame {
	switch r.Intn(9) {
	case 0, 1, 2:
		return &wire.Hello{
			Start:     randomCursor(r),
			Head:      randomCursor(r),
			Heartbeat: 15 * time.Second,
			Grant:     randomGrant(r),
		}
	case 3:
		return &wire.Heartbeat{Cursor: randomCursor(r)}
	case 4, 5:
		return &wire.Event{Cursor: randomCursor(r)}
	case 6:
		return &wire.Gap{From: randomCursor(r), To: randomCursor(r)}
	case 7:
		return &wire.Unreadable{Cursor: randomCursor(r)}
	default:
		reasons := []wire.Reason{wire.ByeRetry, wire.ByeExpired, wire.ByeRegrant, wire.ByeSignedOut, wire.ByeStop}
		return &wire.Bye{Reason: reasons[r.Intn(len(reasons))]}
	}
}

func randomCursor(r *rand.Rand) wire.Cursor {
	return wire.Cursor{Epoch: "k", Seq: uint64(1 + r.Intn(20))}
}

// randomGrant returns most often the same grant.
func randomGrant(r *rand.Rand) string { return []string{"g", "g", "g", "h"}[r.Intn(4)] }
