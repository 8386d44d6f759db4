package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer streams what is posted to it to all subscribers.
type fakeServer struct {
	// deliver returns what the subscriber with a number gets for the event with a number,
	// counted from the first event after the warm-up. nil ends the stream.
	deliver func(subscriber, event int, body string) []string

	mu          sync.Mutex
	subscribers []chan string
	events      int
}

// ServeHTTP implements http.Handler.
func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.publish(w, r)
		return
	}
	frames := make(chan string, 1000)
	s.mu.Lock()
	s.subscribers = append(s.subscribers, frames)
	s.mu.Unlock()
	var out io.Writer = w
	flush := func() { w.(http.Flusher).Flush() }
	if r.Header.Get("Accept-Encoding") == "gzip" {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		out, flush = z, func() { z.Flush(); w.(http.Flusher).Flush() }
	}
	for flush(); ; flush() {
		select {
		case frame, isOpen := <-frames:
			if !isOpen {
				return
			}
			fmt.Fprintf(out, "data: %s\n\n", frame)
		case <-r.Context().Done():
			return
		}
	}
}

// publish hands an event to all subscribers.
func (s *fakeServer) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	number := s.events - warmUpRequests
	s.events++
	for i, frames := range s.subscribers {
		switch {
		case frames == nil:
		case number < 0 || s.deliver == nil:
			frames <- string(body)
		default:
			parts := s.deliver(i, number, string(body))
			for _, part := range parts {
				frames <- part
			}
			if parts == nil {
				close(frames)
				s.subscribers[i] = nil
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// measureServer measures a server in this process.
func measureServer(t *testing.T, handler http.Handler, change func(*Config)) (*Report, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	c := Config{Subscribe: server.URL, Publish: server.URL, Body: "{{payload}}", Subscribers: 10, Events: 100,
		PayloadBytes: 100, Publishers: 1, Window: 8, PID: os.Getpid(), Patience: 2 * time.Second}
	change(&c)
	return Run(t.Context(), c)
}

func TestCorrectServerHasNoLosses(t *testing.T) {
	r, err := measureServer(t, &fakeServer{}, func(c *Config) { c.Publishers, c.Slow, c.Stalled = 4, 2, 2 })
	require.NoError(t, err)
	require.Equal(t, int64(100), r.Published.Events)
	require.Equal(t, int64(1000), r.Delivered.Events)
	require.Zero(t, r.Delivered.Lost+r.Delivered.Duplicates+r.Delivered.OutOfOrder+r.Published.Failed)
	require.Zero(t, r.Closed+r.SlowClosed+r.StalledClosed)
	require.Greater(t, r.Delivered.Delay.P50, 0.0)
	require.GreaterOrEqual(t, r.Delivered.Delay.Max, r.Delivered.Delay.P99)
	require.InDelta(t, len("70\r\ndata: \n\n\r\n")+100, r.Delivered.BytesEach, 2)
	require.Positive(t, r.Server.IdleRSS)
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Contains(t, text.String(), "lost                  0;")
	require.Contains(t, text.String(), "stalled streams       2")
}

func TestFaultsOfAServerAreCounted(t *testing.T) {
	held := map[int]string{}
	deliver := func(subscriber, event int, body string) []string {
		switch {
		case subscriber == 1 && event == 3:
			return []string{} // lost
		case subscriber == 2 && event == 5:
			return []string{body, body}
		case subscriber == 3 && event == 7:
			held[subscriber] = body
			return []string{}
		case subscriber == 3 && event == 8:
			return []string{body, held[subscriber]}
		}
		return []string{body}
	}
	r, err := measureServer(t, &fakeServer{deliver: deliver}, func(*Config) {})
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Delivered.Lost)
	require.Equal(t, int64(1), r.Delivered.Duplicates)
	require.Equal(t, int64(1), r.Delivered.OutOfOrder)
	require.Equal(t, int64(999), r.Delivered.Events)
}

// Publishers must not wait for a subscriber that is gone, and its events are lost.
func TestClosedStreamsAreCounted(t *testing.T) {
	deliver := func(subscriber, event int, body string) []string {
		if subscriber == 0 && event >= 40 {
			return nil
		}
		return []string{body}
	}
	r, err := measureServer(t, &fakeServer{deliver: deliver}, func(*Config) {})
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Closed)
	require.Equal(t, int64(60), r.Delivered.Lost)
}

// The end of a stream is hidden from a subscriber that does not read.
func TestClosedStreamsOfSlowReadersAreCounted(t *testing.T) {
	deliver := func(_, event int, body string) []string {
		if event == 99 {
			return nil
		}
		return []string{body}
	}
	r, err := measureServer(t, &fakeServer{deliver: deliver}, func(c *Config) { c.Slow, c.Stalled = 3, 2 })
	require.NoError(t, err)
	require.Equal(t, []int64{10, 3, 2}, []int64{r.Closed, r.SlowClosed, r.StalledClosed})
}

func TestSomeCompressedStreamsAreDecoded(t *testing.T) {
	r, err := measureServer(t, &fakeServer{}, func(c *Config) { c.Gzip, c.Subscribers = true, 60 })
	require.NoError(t, err)
	require.True(t, r.Gzip)
	require.Equal(t, decodedStreams, r.Decoded)
	require.Equal(t, int64(6000), r.Delivered.Events)
	require.Zero(t, r.Delivered.Lost+r.Closed)
	require.Less(t, r.Delivered.BytesEach, 100.0)
}

func TestBatchesAndRatesArePublished(t *testing.T) {
	started := time.Now()
	r, err := measureServer(t, &fakeServer{}, func(c *Config) {
		c.Batch, c.Rate, c.Window, c.Publishers = 10, 500, 0, 3
	})
	require.NoError(t, err)
	require.Equal(t, int64(100), r.Published.Events)
	require.Equal(t, int64(1000), r.Delivered.Events)
	require.GreaterOrEqual(t, time.Since(started), 180*time.Millisecond, "the last batch is due after 180 ms")
}

func TestRefusalsEndAMeasurement(t *testing.T) {
	handler := func(refusedMethod string) http.Handler {
		server := &fakeServer{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == refusedMethod {
				http.Error(w, "too many", http.StatusTooManyRequests)
				return
			}
			server.ServeHTTP(w, r)
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, isGzip := range []bool{false, true} {
			_, err := measureServer(t, handler(method), func(c *Config) { c.Gzip = isGzip })
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, http.StatusTooManyRequests, refused.Status)
			require.Equal(t, "too many", refused.Body)
		}
	}
}

func TestMeasurementEndsWithItsContext(t *testing.T) {
	server := httptest.NewServer(&fakeServer{})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c := Config{Subscribe: server.URL, Subscribers: 3, Settle: time.Hour}
	c.Progress = func(step string) {
		if strings.HasPrefix(step, "waiting") {
			cancel()
		}
	}
	_, err := Run(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
}

func TestProcessIsReadFromProc(t *testing.T) {
	stat := "12 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 5 0 100 1000 10"
	u, err := parseProcess([]byte(stat), []byte("Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"))
	require.NoError(t, err)
	require.Equal(t, processUse{cpu: 1750 * time.Millisecond, rss: 1 << 20, peak: 2 << 20}, u)
	_, err = parseProcess([]byte("nonsense"), nil)
	require.Error(t, err)
	_, err = readProcess(1 << 30)
	require.ErrorContains(t, err, "cannot be measured")
}
