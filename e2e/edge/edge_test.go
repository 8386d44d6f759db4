package edge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// programPath returns the path of a wasm that make has built for these tests.
func programPath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/" + name)
	require.NoError(t, err)
	require.FileExists(t, path, "run make edge-programs first")
	return path
}

// The conformance suite of the log runs in a Durable Object.
func TestEdgeLogPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(programPath(t, "edge-log.test.wasm")), stack.Direct)
	answer, err := http.Get(s.URL)
	require.NoError(t, err)
	answer.Body.Close()
	waittest.Eventually(
		t,
		func() bool { return strings.Contains(s.EdgeLog(), "\nPASS\n") || strings.Contains(s.EdgeLog(), "FAIL") },
		testkit.Soon,
		20*time.Millisecond,
	)
	log := s.EdgeLog()
	require.NotContains(t, log, "FAIL")
	require.Contains(t, log, "--- PASS: TestReadSelectsByManySubjects")
	for _, part := range []string{
		"a_reopened_log_has_all_records",
		"purge_removes_old_records",
		"read_applies_selections",
		"store_keeps_values_until_they_expire",
		"concurrent_appends_store_a_key_once",
	} {
		require.Contains(t, log, "--- PASS: TestLogKeepsItsContractInTheObjectsStorage/"+part)
	}
}

// readEventIDs reads n events of a stream, and returns their ids.
func readEventIDs(t *testing.T, body io.Reader, n int) (ids []string) {
	testkit.ReadFrames(t, body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			ids = append(ids, e.Event.ID)
		}
		return len(ids) >= n
	})
	return ids
}

// 200 streams of users with four roles receive 20 events in order. The edge keeps no connection open after the clients
// have left.
func TestEdgeDeliversEveryEventToManyStreams(t *testing.T) {
	t.Parallel()
	const streams, eventsPerStream = 200, 20
	s := stack.StartEdge(t)
	var all sync.WaitGroup
	opened := make(chan struct{}, streams)
	for i := range streams {
		role := []access.Role{access.Dispatcher, access.Yard, access.Manager, access.Admin}[i%4]
		token := s.TokenFor(fmt.Sprint(100+i), 0, role)
		all.Go(func() {
			answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse", token)
			defer answer.Body.Close()
			opened <- struct{}{}
			got := readEventIDs(t, answer.Body, eventsPerStream)
			if !slices.Equal(testkit.NumberedIDs(0, eventsPerStream), got) {
				t.Errorf("a stream has %v", got)
			}
		})
	}
	for range streams {
		<-opened
	}
	testkit.PublishNumbered(s, 0, eventsPerStream)
	all.Wait()
	// The edge notices that a client has left when it writes an event.
	admin := s.TokenFor("5", 0, access.Admin)
	next := eventsPerStream
	waittest.Eventually(t, func() bool {
		testkit.PublishNumbered(s, next, next+1)
		next++
		return connectionCount(t, s, admin) == 0
	}, testkit.Soon, 100*time.Millisecond)
}

// connectionCount returns how many connections the edge reports to an admin with this token.
func connectionCount(t *testing.T, s *stack.Stack, admin string) int {
	t.Helper()
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/stats", admin)
	defer answer.Body.Close()
	var stats struct{ Connections int }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&stats))
	return stats.Connections
}

// After workerd was killed and restarted with the same storage, the log has all acknowledged events. A client that
// publishes one of them again stores nothing.
func TestEdgeKeepsAcknowledgedEventsWhenKilled(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	testkit.PublishNumbered(s, 0, 20)
	head := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`).Cursor
	before := testkit.ReadPage(t, s.URL, s.Token, "after=oldest")
	s.Kill()
	s.Up()
	require.Equal(t, before, testkit.ReadPage(t, s.URL, s.Token, "after=oldest"))
	repeated := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`)
	require.True(t, repeated.Duplicate)
	require.Equal(t, head, repeated.Cursor)
	testkit.PublishNumbered(s, 21, 25)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	require.Equal(t, testkit.NumberedIDs(0, 25), readEventIDs(t, answer.Body, 25))
}

// The doctor examines an installation at the edge and finds no fault.
func TestDoctorFindsNoFaultAtTheEdge(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	cmd := exec.Command("../../bin/yardline", "doctor", s.URL)
	cmd.Env = append(os.Environ(), "YARDLINE_TOKEN="+s.Token)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "failed")
}

// An alarm purges the events that are older than the retention. A reader that resumes before them receives a gap, and
// the state keeps the effect of the purged events.
func TestEdgePurgesOldEvents(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Var("RETENTION", "2s"), stack.Var("HEARTBEAT", "1s"))
	testkit.PublishNumbered(s, 0, 5)
	first := testkit.ReadPage(t, s.URL, s.Token, "after=oldest")
	require.Len(t, first.Events, 5)
	waittest.Eventually(
		t,
		func() bool { return len(testkit.ReadPage(t, s.URL, s.Token, "after=oldest").Events) == 0 },
		testkit.Soon,
		50*time.Millisecond,
	)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after="+first.Events[1].Cursor, s.Token)
	defer answer.Body.Close()
	testkit.ReadFrames(t, answer.Body, func(f wire.Frame) bool {
		gap, isGap := f.(*wire.Gap)
		if isGap {
			require.EqualValues(t, 5, gap.To.Seq)
		}
		return isGap
	})
	_, state := testkit.Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token)
	require.Contains(t, state, `"overdue_rentals":5`)
}

// largeEvents returns n events of about 2.7 KB each, which is nearly the largest size of an event.
func largeEvents(n int) (batch []json.RawMessage) {
	const active = `{"type":"rental_status_updated",` +
		`"data":{"rental_id":%d,"status":"active","notes":%q,"equipment_ids":[%s1]}}`
	for i := range n {
		batch = append(
			batch,
			fmt.Appendf(
				nil,
				active,
				i+1,
				strings.Repeat("x", 500),
				strings.Repeat("1000000000000000000,", 99),
			),
		)
	}
	return batch
}

// The edge closes a stream when too much data waits for its reader, and delays no other reader.
func TestEdgeDropsAReaderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	unread := testkit.OpenUnreadStream(t, s)
	defer unread.Close()
	// The events for this stream wait at the edge, because the test's side of the connection has a small buffer.
	require.NoError(t, unread.(*net.TCPConn).SetReadBuffer(4<<10))
	batch := largeEvents(300)
	// Much is published, which takes several minutes on a slow machine. The stream lasts as long as the test.
	answer := testkit.GetUntil(t, t.Context(), http.DefaultClient, s.URL+"/api/sse", s.Token)
	var received atomic.Int64 // how many events the other reader has received
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() { // It returns false when the test closes the body.
			if lines.Text() == "event: rental_status_updated" {
				received.Add(1)
			}
		}
	})
	defer reading.Wait()
	defer answer.Body.Close()
	admin := s.TokenFor("5", 0, access.Admin)
	require.Equal(t, 2, connectionCount(t, s, admin))
	published := 0
	for range 40 { // This is more than the buffers of the sockets hold.
		testkit.PublishAll(t, s, batch)
		published += len(batch)
		testkit.Eventually(
			t,
			4*testkit.Soon,
			"the reader that reads has every event",
			func() bool { return int(received.Load()) == published },
		)
		if connectionCount(t, s, admin) == 1 {
			break
		}
	}
	require.Equal(t, 1, connectionCount(t, s, admin), "the deaf reader is still connected")
}

// When the program ends by a panic, the edge asks its readers to come back. A new program handles the next event, and
// no acknowledged event is lost.
func TestEdgeRecoversFromAPanic(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(programPath(t, "edge-faults.wasm")))
	testkit.PublishNumbered(s, 0, 5)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	socket := dialSocket(t, s, s.Token)
	for round := range 3 {
		first := 5 + 5*round
		testkit.PublishNumbered(s, first, first+5)
		var faults sync.WaitGroup
		faults.Go(func() {
			testkit.Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token, "Yardline-Fault: yes")
		})
		faults.Wait()
		testkit.PublishNumbered(s, first+5, first+6) // This is the first event after the panic.
		testkit.PublishNumbered(s, first+5, first+6)
	}
	var ids []string
	var bye *wire.Bye
	testkit.ReadFrames(t, answer.Body, func(f wire.Frame) bool {
		switch f := f.(type) {
		case *wire.Event:
			ids = append(ids, f.Event.ID)
		case *wire.Bye:
			bye = f
		}
		return bye != nil
	})
	require.Equal(t, wire.ByeRetry, bye.Reason)
	require.Equal(t, testkit.NumberedIDs(0, 10), ids)
	require.Equal(t, wire.ByeRetry.CloseCode(), closeCode(t, socket))
	var all []string
	for _, e := range testkit.ReadPage(t, s.URL, s.Token, "after=oldest&limit=1000").Events {
		all = append(all, e.ID)
	}
	require.Equal(t, testkit.NumberedIDs(0, 21), all)
}

// dialSocket opens a WebSocket and reads its hello. The WebSocket is closed when the test ends.
func dialSocket(t *testing.T, s *stack.Stack, token string) *websocket.Conn {
	t.Helper()
	c := testkit.OpenSocket(t, s.URL+"/api/ws", token)
	t.Cleanup(func() { c.CloseNow() })
	_, raw, err := c.Read(testkit.Context(t))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"event":"hello"`)
	return c
}

// closeCode reads a WebSocket until the edge closes it, and returns the close code.
func closeCode(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.Read(testkit.Context(t)); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// While its object sleeps, a WebSocket stays open. After the object wakes, the client receives an answer to its ping,
// new events, and the result of its publish call, each once.
func TestEdgeSocketOutlivesASleepingObject(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	c := dialSocket(t, s, s.Token)
	send := func(text string) {
		require.NoError(t, c.Write(testkit.Context(t), websocket.MessageText, []byte(text)))
	}
	// expect reads the next message that is no heartbeat. The message must contain the text.
	expect := func(text string) {
		t.Helper()
		for {
			_, raw, err := c.Read(testkit.Context(t))
			require.NoError(t, err)
			if strings.Contains(string(raw), `"event"`) { // A heartbeat has none.
				require.Contains(t, string(raw), text)
				return
			}
		}
	}
	send(`{"call":"filter","ref":"1","filter":"types=rental_overdue"}`)
	expect(`"event":"filter"`)
	programStarts := func() int { return strings.Count(s.EdgeLog(), `"object ready"`) }
	waittest.Eventually(t, func() bool { return programStarts() == 1 }, testkit.Soon, 20*time.Millisecond)
	idle := time.NewTimer(15 * time.Second) // workerd puts an idle object to sleep after 10 s.
	defer idle.Stop()
	<-idle.C
	send(`{"call":"ping","ref":"2"}`)
	expect(`"event":"pong"`)
	require.Equal(t, 2, programStarts(), "the object was never asleep")
	s.Publish(`{"type":"system_notification","data":{"message":"not asked for"}}`)
	testkit.PublishNumbered(s, 0, 1)
	expect(`"id":"n0"`)
	send(`{"call":"publish","ref":"3",` +
		`"event":{"type":"rental_overdue","id":"n1","data":{"rental_id":2,"days_overdue":1}}}`)
	expect(`"n1"`) // The event comes before the answer.
	expect(`"event":"published"`)
}

// When a grant expires while its object sleeps, the edge closes the WebSocket in time.
func TestGrantExpiresWhileTheObjectSleeps(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	const lifetime = 13 * time.Second
	start := time.Now()
	c := dialSocket(t, s, s.CreateTokenWithTTL(lifetime, "main", "4", 0, access.Manager))
	require.Equal(t, wire.ByeExpired.CloseCode(), closeCode(t, c))
	// A token expires at a full second, and the edge sends bye within two seconds.
	require.InDelta(t, lifetime.Seconds(), time.Since(start).Seconds(), 4)
}
