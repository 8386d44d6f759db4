//lint:file-ignore SA1019 the module is given

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// A path is one way out of the broker: it returns the events from after a
// cursor up to another one, as text. Opened is called once it is on its way.
type path func(t *testing.T, base, token, after string, through wire.Cursor, opened func()) []string

var paths = map[string]path{"sse": bySSE, "websocket": byWebSocket, "long poll": byLongPoll, "history": byHistory}

// request sends a GET with a bearer token.
func request(t *testing.T, client *http.Client, address, token string) *http.Response {
	r, err := http.NewRequestWithContext(ctx(t), "GET", address, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	return answer
}

// text is an event as its reader has it, whatever the path.
func text(e event.Event) string { return string(e.AppendJSON(nil)) }

func bySSE(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	answer := request(t, http.DefaultClient, base+"/api/sse?after="+after, token)
	defer answer.Body.Close()
	opened()
	readFrames(t, answer.Body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			got = append(got, text(e.Event))
		}
		return f.ReachedCursor().Seq >= through.Seq
	})
	return got
}

// readFrames reads an event stream until enough says so.
func readFrames(t *testing.T, body io.Reader, enough func(wire.Frame) bool) {
	t.Helper()
	done := false
	readMessages(t, body, func(wire.Message) bool { return done }, func(m wire.Message) {
		f, err := wire.ParseMessage(m)
		require.NoError(t, err)
		done = enough(f)
	})
}

// openSocket opens a WebSocket with a bearer token. CloseNow must be called.
func openSocket(t *testing.T, address, token string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(ctx(t), "ws"+strings.TrimPrefix(address, "http"),
		&websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	require.NoError(t, err)
	return c
}

func byWebSocket(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	c := openSocket(t, base+"/api/ws?after="+after, token)
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	opened()
	for {
		_, raw, err := c.Read(ctx(t))
		require.NoError(t, err)
		for line := range bytes.Lines(raw) {
			f, err := wire.ParseJSON(line)
			require.NoError(t, err)
			if e, ok := f.(*wire.Event); ok {
				got = append(got, text(e.Event))
			}
			if f.ReachedCursor().Seq >= through.Seq {
				return got
			}
		}
	}
}

// page is an answer of /api/events.
type page struct {
	Events         []event.Event
	Previous, Next wire.Cursor
	Head           wire.Cursor
	Gap            *wire.Gap
}

func readPage(t *testing.T, base, token, query string) (p page) {
	answer := request(t, http.DefaultClient, base+"/api/events?"+query, token)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&p))
	require.Nil(t, p.Gap)
	return p
}

func byLongPoll(t *testing.T, base, token, after string, through wire.Cursor, opened func()) (got []string) {
	opened()
	for next := after; ; {
		p := readPage(t, base, token, "limit=37&wait=2&after="+next)
		for _, e := range p.Events {
			got = append(got, text(e))
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
	require.Eventually(t, func() bool { return readPage(t, base, token, "limit=1").Head.Seq >= through.Seq }, soon, 10*time.Millisecond)
	before := wire.Cursor{Epoch: through.Epoch, Seq: through.Seq + 1}
	for before.Seq > start.Seq+1 {
		p := readPage(t, base, token, "limit=41&before="+before.String())
		var texts []string
		for _, e := range p.Events {
			if at, err := wire.ParseCursor(e.Cursor); err == nil && at.Seq > start.Seq {
				texts = append(texts, text(e))
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
	"dispatcher": {"1", 0, []access.Role{access.Dispatcher}}, "yard": {"2", 0, []access.Role{access.Yard}}, "hr": {"3", 0, []access.Role{access.HR}},
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
			if id, is := data[name].(json.RawMessage); is && strings.HasSuffix(name, "_id") && id[0] != '"' && name != "employee_id" {
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

// publishAll sends batches and returns the last cursor.
func publishAll(t *testing.T, s *stack.Stack, events []json.RawMessage) (last wire.Cursor) {
	for batch := range slices.Chunk(events, 100) {
		body, err := json.Marshal(batch)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(ctx(t), "POST", s.URL+"/api/sse", bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.Token)
		r.Header.Set("Content-Type", "application/cloudevents-batch+json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		var stored struct {
			Events []struct{ Cursor wire.Cursor }
		}
		raw, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 201, answer.StatusCode, "%s", raw)
		require.NoError(t, json.Unmarshal(raw, &stored))
		last = stored.Events[len(stored.Events)-1].Cursor
	}
	return last
}

// TestPathsAgree: the same thousand events, read over every path by everybody,
// live while they are published, are the same for one reader on all of them,
// and another set for each reader.
func TestPathsAgree(t *testing.T) {
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
	require.Equal(t, through, publishAll(t, s, mixed(events)))
	// Readers who see nothing of the last events go by heartbeats.
	s.Publish(`{"type":"system_notification","data":{"message":"last"}}`)
	seen := map[string]map[string][]string{}
	timeout, cancel := context.WithTimeout(ctx(t), time.Minute)
	defer cancel()
	for range cap(results) {
		select {
		case r := <-results:
			if seen[r.reader] == nil {
				seen[r.reader] = map[string][]string{}
			}
			// The notice at the end may be among what came with the last events.
			seen[r.reader][r.path] = slices.DeleteFunc(r.got, func(e string) bool { return strings.Contains(e, `"message":"last"`) })
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
