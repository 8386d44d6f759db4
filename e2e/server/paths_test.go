package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

var paths = map[string]testkit.ReadFunc{
	"sse":       testkit.ReadBySSE,
	"websocket": testkit.ReadByWebSocket,
	"long poll": byLongPoll,
	"history":   byHistory,
}

func byLongPoll(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	opened()
	for next := after; ; {
		p := testkit.ReadPage(t, base, token, "limit=37&wait=2&after="+next)
		for _, e := range p.Events {
			got = append(got, testkit.EventText(e))
		}
		if next = p.Next.String(); p.Next.Seq >= through.Seq {
			return got
		}
	}
}

// byHistory reads backwards.
func byHistory(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	opened()
	start, err := wire.ParseCursor(after)
	require.NoError(t, err)
	waittest.Eventually(
		t,
		func() bool { return testkit.ReadPage(t, base, token, "limit=1").Head.Seq >= through.Seq },
		testkit.Soon,
		10*time.Millisecond,
	)
	before := wire.Cursor{Epoch: through.Epoch, Seq: through.Seq + 1}
	for before.Seq > start.Seq+1 {
		p := testkit.ReadPage(t, base, token, "limit=41&before="+before.String())
		var texts []string
		for _, e := range p.Events {
			if at, err := wire.ParseCursor(e.Cursor); err == nil && at.Seq > start.Seq {
				texts = append(texts, testkit.EventText(e))
			}
		}
		got = append(texts, got...)
		require.Less(t, p.Previous.Seq, before.Seq)
		before = p.Previous
	}
	return got
}

// readers are the people of the vocabulary's table.
var readers = map[string]struct {
	user     string
	employee int64
	roles    []access.Role
}{
	"dispatcher": {
		"1",
		0,
		[]access.Role{access.Dispatcher},
	}, "yard": {"2", 0, []access.Role{access.Yard}}, "hr": {"3", 0, []access.Role{access.HR}},
	"manager": {"4", 0, []access.Role{access.Manager}}, "employee": {"7", 456, nil},
}

// mixed are n events of all types, with what makes the roles differ: payslips
// beside runs, audiences, starters.
func mixed(n int) []json.RawMessage {
	variants := map[event.Type][]map[string]any{
		event.TypePayrollProcessed:   {nil, {"employee_id": 456, "amount": 1234.5}, {"employee_id": 457, "amount": 99}},
		event.TypeSystemNotification: {nil, {"audience": []string{"hr"}}, {"audience": []string{"yard", "dispatcher"}}},
		event.TypeSyncProgress:       {{"started_by": 7}, {"started_by": 5}},
		event.TypeTimesheetUpdated:   {nil, {"employee_id": 457, "timesheet_id": 5002}},
	}
	var all []json.RawMessage
	for i := range n {
		typ := event.Types[i%len(event.Types)]
		data := map[string]any{}
		for _, f := range event.Example(typ).Data {
			data[f.Name] = f.Raw
		}
		if v := variants[typ]; v != nil {
			for name, value := range v[i/len(event.Types)%len(v)] {
				data[name] = value
			}
		}
		for name := range data { // another thing each round, so that owners do not change
			if id, is := data[name].(json.RawMessage); is && strings.HasSuffix(name, "_id") && id[0] != '"' &&
				name != "employee_id" {
				data[name] = i + 1
			}
		}
		if typ == event.TypeSyncProgress {
			data["sync_id"] = fmt.Sprint("s", i)
		}
		raw, err := json.Marshal(map[string]any{"type": typ, "id": fmt.Sprint("e", i), "data": data})
		if err != nil {
			panic(err) // our own values
		}
		all = append(all, raw)
	}
	return all
}

// A reader receives the same events by every interface, live and from the log, and each reader receives those of its
// own rights.
func TestAllInterfacesDeliverTheSameEvents(t *testing.T) {
	for _, kind := range stack.Kinds {
		t.Run(kind, func(t *testing.T) { pathsAgree(t, stack.StartOn(t, kind)) })
	}
}

func pathsAgree(t *testing.T, s *stack.Stack) {
	const events = 1000
	first := s.Publish(`{"type":"system_notification","data":{"message":"first"}}`).Cursor
	through := wire.Cursor{Epoch: first.Epoch, Seq: first.Seq + events}
	type result struct {
		reader, path string
		got          []string
	}
	results := make(chan result, len(readers)*len(paths))
	opened := make(chan struct{}, cap(results))
	for reader, who := range readers {
		token := s.TokenFor(who.user, who.employee, who.roles...)
		for name, read := range paths {
			go func() {
				results <- result{reader, name, read(t, s.URL, token, first.String(), through, func() { opened <- struct{}{} })}
			}()
		}
	}
	for range cap(opened) {
		<-opened
	}
	require.Equal(t, through, testkit.PublishAll(t, s, mixed(events)))
	// Readers who see nothing of the last events go by heartbeats.
	s.Publish(`{"type":"system_notification","data":{"message":"last"}}`)
	seen := map[string]map[string][]string{}
	timeout, cancel := context.WithTimeout(testkit.Context(t), time.Minute)
	defer cancel()
	for range cap(results) {
		select {
		case r := <-results:
			if seen[r.reader] == nil {
				seen[r.reader] = map[string][]string{}
			}
			// The notice at the end may be among what came with the last events.
			seen[r.reader][r.path] = slices.DeleteFunc(
				r.got,
				func(e string) bool { return strings.Contains(e, `"message":"last"`) },
			)
		case <-timeout.Done():
			t.Fatalf("not all have read all: %d of %d", len(seen), cap(results))
		}
	}
	counts := map[int]string{}
	for reader, byPath := range seen {
		want := byPath["history"]
		require.NotEmpty(t, want, reader)
		require.Less(t, len(want), events)
		require.Empty(t, counts[len(want)], "%s and %s see as much", reader, counts[len(want)])
		counts[len(want)] = reader
		for name, got := range byPath {
			require.Equal(t, want, got, "%s by %s", reader, name)
		}
		t.Logf("%s: %d of %d events on each of %d paths", reader, len(want), events, len(byPath))
	}
}
