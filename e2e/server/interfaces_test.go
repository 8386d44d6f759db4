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

// readFuncs read events from the broker, one function for each interface.
var readFuncs = map[string]testkit.ReadFunc{
	"sse":       testkit.ReadBySSE,
	"websocket": testkit.ReadByWebSocket,
	"long poll": readByLongPoll,
	"history":   readByHistory,
}

// readByLongPoll is a ReadFunc that reads the log page by page. Each request waits up to two seconds for events.
func readByLongPoll(t *testing.T, base, token, start string, end wire.Cursor, opened func()) (got []string) {
	opened()
	for next := start; ; {
		p := testkit.ReadPage(t, base, token, "limit=37&wait=2&after="+next)
		for _, e := range p.Events {
			got = append(got, testkit.EventText(e))
		}
		if next = p.Next.String(); p.Next.Seq >= end.Seq {
			return got
		}
	}
}

// readByHistory is a ReadFunc that waits for the last event, and then reads the pages from the newest to the oldest.
func readByHistory(t *testing.T, base, token, start string, end wire.Cursor, opened func()) (got []string) {
	opened()
	first, err := wire.ParseCursor(start)
	require.NoError(t, err)
	waittest.Eventually(
		t,
		func() bool { return testkit.ReadPage(t, base, token, "limit=1").Head.Seq >= end.Seq },
		testkit.Soon,
		10*time.Millisecond,
	)
	before := wire.Cursor{Epoch: end.Epoch, Seq: end.Seq + 1}
	for before.Seq > first.Seq+1 {
		p := testkit.ReadPage(t, base, token, "limit=41&before="+before.String())
		var texts []string
		for _, e := range p.Events {
			if at, err := wire.ParseCursor(e.Cursor); err == nil && at.Seq > first.Seq {
				texts = append(texts, testkit.EventText(e))
			}
		}
		got = append(texts, got...)
		require.Less(t, p.Previous.Seq, before.Seq)
		before = p.Previous
	}
	return got
}

// testUsers are users that may see different events, by name: one user for each of four roles, and an employee without
// a role.
var testUsers = map[string]struct {
	user     string
	employee int64 // the id of the user's employee; 0 is none
	roles    []access.Role
}{
	"dispatcher": {"1", 0, []access.Role{access.Dispatcher}},
	"yard":       {"2", 0, []access.Role{access.Yard}},
	"hr":         {"3", 0, []access.Role{access.HR}},
	"manager":    {"4", 0, []access.Role{access.Manager}},
	"employee":   {"7", 456, nil},
}

// mixedEvents returns n events of all types. Some have fields on which the rights of the roles depend: the employee
// of a payslip, the audience of a notification, and the user that started a sync.
func mixedEvents(n int) []json.RawMessage {
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
		for name := range data { // Each event has an entity of its own, so that no entity changes its owner.
			id, isExample := data[name].(json.RawMessage)
			if isExample && strings.HasSuffix(name, "_id") && id[0] != '"' && name != "employee_id" {
				data[name] = i + 1
			}
		}
		if typ == event.TypeSyncProgress {
			data["sync_id"] = fmt.Sprint("s", i)
		}
		raw, err := json.Marshal(map[string]any{"type": typ, "id": fmt.Sprint("e", i), "data": data})
		if err != nil {
			panic(err) // All values can be encoded.
		}
		all = append(all, raw)
	}
	return all
}

// A user receives the same events by every interface, live and from the log. Each user receives only the events that
// the user may see.
func TestAllInterfacesDeliverTheSameEvents(t *testing.T) {
	for _, kind := range stack.Kinds {
		t.Run(kind, func(t *testing.T) { testInterfaces(t, stack.StartOn(t, kind)) })
	}
}

// eventsByInterface are the events that each user has read, by the user's name and the interface.
type eventsByInterface map[string]map[string][]string

// testInterfaces reads the same events as each user by each interface, and compares them.
func testInterfaces(t *testing.T, s *stack.Stack) {
	const events = 1000
	first := s.Publish(`{"type":"system_notification","data":{"message":"first"}}`).Cursor
	end := wire.Cursor{Epoch: first.Epoch, Seq: first.Seq + events}
	type result struct {
		user, interfaceName string
		got                 []string
	}
	results := make(chan result, len(testUsers)*len(readFuncs))
	opened := make(chan struct{}, cap(results))
	for name, user := range testUsers {
		token := s.TokenFor(user.user, user.employee, user.roles...)
		for interfaceName, readEvents := range readFuncs {
			go func() {
				got := readEvents(t, s.URL, token, first.String(), end, func() { opened <- struct{}{} })
				results <- result{name, interfaceName, got}
			}()
		}
	}
	for range cap(opened) {
		<-opened
	}
	require.Equal(t, end, testkit.PublishAll(t, s, mixedEvents(events)))
	// A user that may not see the last events reaches the cursor end by this event or by a heartbeat.
	s.Publish(`{"type":"system_notification","data":{"message":"last"}}`)
	read := eventsByInterface{}
	timeout, cancel := context.WithTimeout(testkit.Context(t), time.Minute)
	defer cancel()
	for range cap(results) {
		select {
		case r := <-results:
			if read[r.user] == nil {
				read[r.user] = map[string][]string{}
			}
			// The notification after the last event may have come with it.
			read[r.user][r.interfaceName] = slices.DeleteFunc(
				r.got,
				func(e string) bool { return strings.Contains(e, `"message":"last"`) },
			)
		case <-timeout.Done():
			t.Fatalf("only %d of %d users have read events in time", len(read), len(testUsers))
		}
	}
	requireSameEvents(t, read, events)
}

// requireSameEvents checks that each user has read the same events by every interface. No two users may have read the
// same number of events, and no user may have read all published events.
func requireSameEvents(t *testing.T, read eventsByInterface, published int) {
	t.Helper()
	counts := map[int]string{}
	for user, byInterface := range read {
		want := byInterface["history"]
		require.NotEmpty(t, want, user)
		require.Less(t, len(want), published)
		require.Empty(t, counts[len(want)], "%s and %s see as much", user, counts[len(want)])
		counts[len(want)] = user
		for name, got := range byInterface {
			require.Equal(t, want, got, "%s by %s", user, name)
		}
		t.Logf("%s: %d of %d events on each of %d paths", user, len(want), published, len(byInterface))
	}
}
