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

// program is a wasm that make has built for these tests.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/" + name)
	require.NoError(t, err)
	require.FileExists(t, path, "run make edge-programs first")
	return path
}

// The conformance suite of the log runs in a Durable Object.
func TestEdgeLogPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(program(t, "edge-log.test.wasm")), stack.Direct)
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

// events are the ids of the events that a stream brings until there are n.
func events(t *testing.T, body io.Reader, n int) (ids []string) {
	testkit.ReadFrames(t, body, func(f wire.Frame) bool {
		if e, ok := f.(*wire.Event); ok {
			ids = append(ids, e.Event.ID)
		}
		return len(ids) >= n
	})
	return ids
}

// 200 streams of four roles receive each of 20 events in order, and leave nothing open.
func TestEdgeDeliversEveryEventToManyStreams(t *testing.T) {
	t.Parallel()
	const streams, each = 200, 20
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
			if got := events(t, answer.Body, each); !slices.Equal(testkit.NumberedIDs(0, each), got) {
				t.Errorf("a stream has %v", got)
			}
		})
	}
	for range streams {
		<-opened
	}
	testkit.PublishNumbered(s, 0, each)
	all.Wait()
	// Who has left is noticed when there is something to write.
	admin := s.TokenFor("5", 0, access.Admin)
	more := each
	waittest.Eventually(t, func() bool {
		testkit.PublishNumbered(s, more, more+1)
		more++
		answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/stats", admin)
		defer answer.Body.Close()
		var stats struct{ Connections int }
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&stats))
		return stats.Connections == 0
	}, testkit.Soon, 100*time.Millisecond)
}

// After workerd was killed and restarted with the same storage, all acknowledged events are there, and publishing one
// again stores nothing.
func TestEdgeKeepsAcknowledgedEventsWhenKilled(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	testkit.PublishNumbered(s, 0, 20)
	head := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`).Cursor
	before := testkit.ReadPage(t, s.URL, s.Token, "after=oldest")
	s.Kill()
	s.Up()
	require.Equal(t, before, testkit.ReadPage(t, s.URL, s.Token, "after=oldest"))
	again := s.Publish(`{"type":"rental_overdue","id":"n20","data":{"rental_id":21,"days_overdue":1}}`)
	require.True(t, again.Duplicate)
	require.Equal(t, head, again.Cursor)
	testkit.PublishNumbered(s, 21, 25)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	require.Equal(t, testkit.NumberedIDs(0, 25), events(t, answer.Body, 25))
}

// The doctor examines an installation at the edge and finds no fault.
func TestDoctorFindsNoFaultAtTheEdge(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	look := exec.Command("../../bin/yardline", "doctor", s.URL)
	look.Env = append(os.Environ(), "YARDLINE_TOKEN="+s.Token)
	out, err := look.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "failed")
}

// An alarm purges the events that are older than the retention. A reader that resumes before them receives a gap, and
// the state stays.
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
		gap, is := f.(*wire.Gap)
		if is {
			require.EqualValues(t, 5, gap.To.Seq)
		}
		return is
	})
	_, state := testkit.Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token)
	require.Contains(t, state, `"overdue_rentals":5`)
}

// large are n events of some 2.7 KB, nearly as large as events can be.
func large(n int) (batch []json.RawMessage) {
	for i := range n {
		batch = append(
			batch,
			fmt.Appendf(
				nil,
				`{"type":"rental_status_updated","data":{"rental_id":%d,"status":"active","notes":%q,"equipment_ids":[%s1]}}`,
				i+1,
				strings.Repeat("x", 500),
				strings.Repeat("1000000000000000000,", 99),
			),
		)
	}
	return batch
}

// The hub closes a stream when too much waits for its reader, and delays no other reader.
func TestEdgeDropsAReaderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	silent := testkit.DialDeaf(t, s)
	defer silent.Close()
	require.NoError(t, silent.(*net.TCPConn).SetReadBuffer(4<<10)) // so that what waits, waits at the other side
	batch := large(300)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse", s.Token)
	var had atomic.Int64 // events of a reader that reads
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() { // until the body is closed
			if lines.Text() == "event: rental_status_updated" {
				had.Add(1)
			}
		}
	})
	defer reading.Wait()
	defer answer.Body.Close()
	admin := s.TokenFor("5", 0, access.Admin)
	connections := func() int {
		answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/stats", admin)
		defer answer.Body.Close()
		var stats struct{ Connections int }
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&stats))
		return stats.Connections
	}
	require.Equal(t, 2, connections())
	sent := 0
	for range 40 { // beyond what sockets take by themselves
		testkit.PublishAll(t, s, batch)
		sent += len(batch)
		testkit.Eventually(
			t,
			testkit.Soon,
			"the reader that reads has every event",
			func() bool { return int(had.Load()) == sent },
		)
		if connections() == 1 {
			break
		}
	}
	require.Equal(t, 1, connections(), "the deaf reader is still connected")
}

// When the program ends by a panic, it asks its readers to come back, handles the next event, and loses no acknowledged
// event.
func TestEdgeRecoversFromAPanic(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(program(t, "edge-faults.wasm")))
	testkit.PublishNumbered(s, 0, 5)
	answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after=oldest", s.Token)
	defer answer.Body.Close()
	socket := dialSocket(t, s, s.Token)
	for round := range 3 {
		at := 5 + 5*round
		testkit.PublishNumbered(s, at, at+5)
		var faults sync.WaitGroup
		faults.Go(func() {
			testkit.Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token, "Yardline-Fault: yes")
		})
		faults.Wait()
		testkit.PublishNumbered(s, at+5, at+6) // the very next
		testkit.PublishNumbered(s, at+5, at+6)
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

// dialSocket opens a WebSocket, which has had its hello.
func dialSocket(t *testing.T, s *stack.Stack, token string) *websocket.Conn {
	t.Helper()
	c := testkit.OpenSocket(t, s.URL+"/api/ws", token)
	t.Cleanup(func() { c.CloseNow() })
	_, raw, err := c.Read(testkit.Context(t))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"event":"hello"`)
	return c
}

// closeCode reads until the other side closes.
func closeCode(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.Read(testkit.Context(t)); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// A WebSocket whose object was put to sleep still answers, receives new events, and publishes, each once.
func TestEdgeSocketOutlivesASleepingObject(t *testing.T) {
	t.Parallel() // it waits more than it works
	s := stack.StartEdge(t)
	c := dialSocket(t, s, s.Token)
	say := func(text string) {
		require.NoError(t, c.Write(testkit.Context(t), websocket.MessageText, []byte(text)))
	}
	hears := func(part string) {
		t.Helper()
		for {
			_, raw, err := c.Read(testkit.Context(t))
			require.NoError(t, err)
			if strings.Contains(string(raw), `"event"`) { // no heartbeat
				require.Contains(t, string(raw), part)
				return
			}
		}
	}
	say(`{"call":"filter","ref":"1","filter":"types=rental_overdue"}`)
	hears(`"event":"filter"`)
	programs := func() int { return strings.Count(s.EdgeLog(), `"object ready"`) }
	waittest.Eventually(t, func() bool { return programs() == 1 }, testkit.Soon, 20*time.Millisecond)
	idle := time.NewTimer(15 * time.Second) // workerd puts an object to sleep after ten
	defer idle.Stop()
	<-idle.C
	say(`{"call":"ping","ref":"2"}`)
	hears(`"event":"pong"`)
	require.Equal(t, 2, programs(), "it was never asleep")
	s.Publish(`{"type":"system_notification","data":{"message":"not asked for"}}`)
	testkit.PublishNumbered(s, 0, 1)
	hears(`"id":"n0"`)
	say(
		`{"call":"publish","ref":"3","event":{"type":"rental_overdue","id":"n1","data":{"rental_id":2,"days_overdue":1}}}`,
	)
	hears(`"n1"`) // the event, then the answer
	hears(`"event":"published"`)
}

// When a grant ends while its object sleeps, the WebSocket ends in time.
func TestGrantExpiresWhileTheObjectSleeps(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	const life = 13 * time.Second
	start := time.Now()
	c := dialSocket(t, s, s.CreateTokenWithTTL(life, "main", "4", 0, access.Manager))
	require.Equal(t, wire.ByeExpired.CloseCode(), closeCode(t, c))
	require.InDelta(
		t,
		life.Seconds(),
		time.Since(start).Seconds(),
		4,
		"an expiry is a full second, and the bye within two",
	)
}
