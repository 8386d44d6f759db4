package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// The tests of this file hold both ways to write a stream to the same behaviour.

// Readers with different grants and filters come, are cut off and resume while events are
// published. Each receives exactly what it may see, in order: from the log, from the ring
// and live, with the events that it sees as a person at their places.
func TestStreamsLoseNothingWhileReadersComeAndGo(t *testing.T) {
	overBothWriters(t, testStreamsLoseNothingWhileReadersComeAndGo)
}

func testStreamsLoseNothingWhileReadersComeAndGo(t *testing.T, change configChange) {
	const old, total = 9000, 9800 // the ring holds at most 8,191 events
	log := memlog.New("k", time.Hour)
	for i := range old {
		_, err := log.Append(t.Context(), mixedEntry(t, i, ""))
		require.NoError(t, err)
	}
	s := newTestBrokerWith(t, log, change, unlimited)
	grants := []access.Grant{
		{User: "9", Roles: []access.Role{access.Manager}},
		{User: "3", Employee: 3},
		{User: "3", Employee: 3, Roles: []access.Role{access.Yard}},
		{User: "5", Roles: []access.Role{access.HR, access.Dispatcher}},
	}
	filters := []filter.Filter{
		{},
		{Types: []event.Type{event.TypeSyncProgress, event.TypeTimesheetUpdated}},
		{Subjects: []string{"rental/3", "timesheet/3"}},
	}
	var reading sync.WaitGroup
	for i, g := range grants {
		token, err := s.tokens.Create(g, time.Hour)
		require.NoError(t, err)
		for j, f := range filters {
			for k, start := range []uint64{0, old - 20, old} {
				if start == 0 && i != 2 { // a long way, which one grant shows
					continue
				}
				seed := uint64(100*i + 10*j + k)
				reading.Go(func() {
					got := s.readWithCuts(rand.New(rand.NewPCG(seed, 1)), token, f, start, total)
					if want := s.expected(g, f, start, total); !slices.Equal(want, got) {
						t.Errorf("seed %d: got %d events, want %d", seed, len(got), len(want))
					}
				})
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := old; i < total; {
		var batch []eventlog.Entry
		for range min(1+random.IntN(20), total-i) {
			batch = append(batch, mixedEntry(t, i, strings.Repeat("n", random.IntN(2000))))
			i++
		}
		_, err := log.AppendBatch(t.Context(), batch)
		require.NoError(t, err)
		require.NoError(t, s.api.Hub.Await(t.Context(), uint64(i)))
	}
	stop := s.beat() // tells the readers that see nothing that they have reached the end
	reading.Wait()
	stop()
	waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Connections == 0 }, 20*time.Second, time.Millisecond)
	require.Zero(t, s.api.Hub.Stats().Views)
}

// beat sends heartbeats, 50 a second. The caller must call stop.
func (s *testBroker) beat() (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var beating sync.WaitGroup
	beating.Go(func() {
		for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil; <-tick {
			s.api.Hub.Heartbeat(wire.SSE)
		}
	})
	return func() { cancel(); beating.Wait() }
}

// readWithCuts reads a stream through the event with a number. It cuts the connection off at
// random places, and resumes at the last cursor. It returns the numbers of the events.
func (s *testBroker) readWithCuts(
	random *rand.Rand, token string, f filter.Filter, after, through uint64,
) (seqs []uint64) {
	for after < through {
		query := fmt.Sprintf("?after=k-%d", after)
		if f.Key() != "" {
			query += "&" + f.Key()
		}
		r := s.rawStream(query, "Authorization: Bearer "+token)
		for left := 1 + random.IntN(3000); left > 0 && after < through; left-- {
			frame := r.next()
			if e, ok := frame.(*wire.Event); ok && e.Cursor.Seq <= through {
				seqs = append(seqs, e.Cursor.Seq)
			}
			if at := frame.ReachedCursor().Seq; at > after {
				after = at
			}
		}
		if random.IntN(2) == 0 {
			_ = r.conn.SetLinger(0) // resets the connection
		}
		_ = r.conn.Close()
	}
	return seqs
}

// fill stores a number of events of 2 KB, which must be a multiple of 100, and returns the
// number of the last one.
func (s *testBroker) fill(count int) (last uint64) {
	s.Helper()
	notes := strings.Repeat("n", 2000)
	start := int(s.api.Hub.Stats().Events)
	for from := start; from < start+count; from += 100 {
		var batch []eventlog.Entry
		for i := range 100 {
			batch = append(batch, mixedEntry(s.T, 4*(from+i), notes)) // 4: all about rentals
		}
		acks, err := s.log.AppendBatch(s.Context(), batch)
		require.NoError(s, err)
		last = acks[len(acks)-1].Seq
		require.NoError(s, s.api.Hub.Await(s.Context(), last))
	}
	return last
}

// While a chunk is half written the broker ends the stream. A reader that reads on, slowly,
// gets all whole frames before the goodbye, the goodbye and a complete body.
func TestGoodbyeFollowsWholeFrames(t *testing.T) { overBothWriters(t, testGoodbyeFollowsWholeFrames) }

func testGoodbyeFollowsWholeFrames(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	r := s.rawStream("", s.bearer(access.Manager))
	require.IsType(t, &wire.Hello{}, r.next())
	require.NoError(t, r.conn.SetReadBuffer(256<<10))
	s.fill(1000)
	waittest.Eventually(t, func() bool { return s.api.Hub.Stats().Open[0].Lag < 2<<20 },
		20*time.Second, time.Millisecond)
	s.api.Hub.CloseWhere(wire.ByeStop, func(*hub.Subscriber) bool { return true })
	seqs, bye, err := r.rest()
	require.NoError(t, err)
	require.NotNil(t, bye)
	require.Equal(t, wire.ByeStop, bye.Reason)
	for i, seq := range seqs {
		require.EqualValues(t, i+1, seq)
	}
}

// A reader that is slow but reads on is not cut, and receives everything in order.
func TestSlowReaderThatReadsOnIsNotCut(t *testing.T) {
	overBothWriters(t, testSlowReaderThatReadsOnIsNotCut)
}

func testSlowReaderThatReadsOnIsNotCut(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	r := s.rawStream("", s.bearer(access.Manager))
	require.IsType(t, &wire.Hello{}, r.next())
	require.NoError(t, r.conn.SetReadBuffer(256<<10))
	last := s.fill(1000) // 2 MB, less than the limit of the lag
	r.requireEvents(1, last)
	r.requireEvents(last+1, s.fill(100))
	require.False(t, bytes.Contains(s.metrics(), []byte(`yardline_slow_closed_total{cause="lag"} 1`)))
}

// metrics returns the metrics of the broker.
func (s *testBroker) metrics() []byte {
	s.Helper()
	_, text := s.send("GET", "/metrics", "", s.bearer(access.Admin))
	return []byte(text)
}

// A reader that does not read is closed for its lag, counted and named in the log. It has
// whole frames up to the cut, and loses nothing when it resumes.
func TestReaderThatNeverReadsLosesNothing(t *testing.T) {
	overBothWriters(t, testReaderThatNeverReadsLosesNothing)
}

func testReaderThatNeverReadsLosesNothing(t *testing.T, change configChange) {
	var lines syncbuffer.Buffer
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, func(_ string, c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&lines, nil)) // at level Info
	})
	r := s.rawStream("", s.bearer(access.Manager))
	require.IsType(t, &wire.Hello{}, r.next())
	var last uint64
	waittest.Eventually(t, func() bool {
		last = s.fill(500)
		return s.api.Hub.Stats().Connections == 0
	}, time.Minute, time.Millisecond)
	require.Contains(t, string(s.metrics()), `yardline_slow_closed_total{cause="lag"} 1`)
	require.Contains(t, string(s.metrics()), `yardline_slow_closed_total{cause="write_deadline"} 0`)
	require.Contains(t, lines.String(), "reader left")
	seqs, bye, err := r.rest()
	require.Error(t, err, "the body must not look complete")
	require.Nil(t, bye)
	for i, seq := range seqs {
		require.EqualValues(t, i+1, seq)
	}
	reached := uint64(len(seqs))
	again := s.rawStream(fmt.Sprintf("?after=k-%d", reached), s.bearer(access.Manager))
	again.requireEvents(reached+1, last)
}

// A stream ends when its peer closes its side, closes the connection or resets it. The
// broker gives back what the stream has used, and logs the same lines for both ways.
func TestStreamsEndWithTheirPeers(t *testing.T) { overBothWriters(t, testStreamsEndWithTheirPeers) }

func testStreamsEndWithTheirPeers(t *testing.T, change configChange) {
	for name, leave := range map[string]func(*net.TCPConn){
		"half closed": func(c *net.TCPConn) { c.CloseWrite() },
		"closed":      func(c *net.TCPConn) { c.Close() },
		"reset":       func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"kicked":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			var lines syncbuffer.Buffer
			s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, func(_ string, c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			r := s.rawStream("", s.bearer(access.Manager))
			id := r.next().(*wire.Hello).Connection
			require.Equal(t, id, s.api.Hub.Stats().Open[0].ID)
			reason := `reason="context canceled"`
			if leave == nil {
				answer, _ := s.send("POST", "/api/connections/"+id+"/close", "", s.bearer(access.Admin))
				require.Equal(t, 204, answer.StatusCode)
				reason = `reason="hub: closed: stop"`
			} else {
				leave(r.conn)
			}
			waittest.Eventually(t, func() bool { return strings.Contains(lines.String(), "path=/api/sse") },
				20*time.Second, time.Millisecond)
			require.Zero(t, s.api.Hub.Stats().Connections)
			s.api.gate.mu.Lock()
			require.Zero(t, s.api.gate.total)
			require.Empty(t, s.api.gate.counts)
			s.api.gate.mu.Unlock()
			require.Equal(t, 1, strings.Count(lines.String(), `level=DEBUG msg="reader came"`))
			require.Equal(t, 1, strings.Count(lines.String(), `level=DEBUG msg="reader left"`))
			require.Contains(t, lines.String(), reason)
			require.Contains(t, lines.String(), "connection="+id+" actor=user:9")
			require.Regexp(t, `level=DEBUG msg=request .*method=GET path=/api/sse status=200 address=127.0.0.1`,
				lines.String())
		})
	}
}

// Heartbeats reach quiet streams: those of a view and those by subjects.
func TestHeartbeatsReachQuietStreams(t *testing.T) {
	overBothWriters(t, testHeartbeatsReachQuietStreams)
}

func testHeartbeatsReachQuietStreams(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	defer s.beat()()
	for _, query := range []string{"", "?subjects=rental/1", "?types=payroll_processed"} {
		r := s.rawStream(query, s.bearer(access.Manager))
		require.IsType(t, &wire.Hello{}, r.next())
		for range 3 {
			require.IsType(t, &wire.Heartbeat{}, r.next(), query)
		}
		require.NoError(t, r.conn.Close())
	}
}

// Drain says goodbye to all streams. Shutdown does not wait longer than its context for a
// reader that does not read.
func TestDrainAndShutdownEndStreams(t *testing.T) { overBothWriters(t, testDrainAndShutdownEndStreams) }

func testDrainAndShutdownEndStreams(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	bearer := s.bearer(access.Manager)
	reads, stuck := s.rawStream("", bearer), s.rawStream("", bearer)
	require.NoError(t, stuck.conn.SetReadBuffer(256<<10))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, bye, err := reads.rest()
		if err != nil || bye == nil || bye.Reason != wire.ByeDrain {
			t.Errorf("the goodbye was %v, and the end %v", bye, err)
		}
	}()
	s.fill(1000)
	s.api.Hub.Drain()
	<-done
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	s.api.Shutdown(ctx)
	require.Less(t, time.Since(start), 5*time.Second)
	answer, _ := s.send("GET", "/api/sse", "", bearer)
	require.Equal(t, 503, answer.StatusCode)
}
