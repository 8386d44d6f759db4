package broker

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestLife starts and stops a broker with everything in it, and leaves no
// goroutine behind.
func TestLife(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Demo: true, DemoRate: 200})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	require.Eventually(t, func() bool {
		answer, err := client.Get(b.URL() + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK && b.hub.Entity("location/1") != nil
	}, 20*time.Second, 5*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	require.NoError(t, b.Close())
}

func TestTakenAddress(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	require.NoError(t, err)
	_, err = New(t.Context(), Config{Listen: b.listener.Addr().String(), Data: t.TempDir()})
	require.ErrorContains(t, err, "cannot listen on")
	require.NoError(t, b.listener.Close())
	require.NoError(t, b.Close())
}

// TestDebug: profiles and metrics are for this machine alone, and nowhere
// unless asked for.
func TestDebug(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", DebugListen: "127.0.0.1:0", Data: t.TempDir()})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	get := func(address, host string) (int, string) {
		r, err := http.NewRequest("GET", address, nil)
		require.NoError(t, err)
		r.Host = host
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}
	base := "http://" + b.debug.listener.Addr().String()
	status, text := get(base+"/metrics", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, "yardline_log_healthy")
	status, text = get(base+"/debug/pprof/goroutine?debug=1", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, "goroutine profile")
	status, _ = get(base+"/metrics", "evil.example")
	require.Equal(t, 421, status)
	_, text = get(b.URL()+"/debug/pprof/goroutine?debug=1", "")
	require.NotContains(t, text, "goroutine profile")
	status, _ = get(b.URL()+"/metrics", "")
	require.Equal(t, 401, status)
	client.CloseIdleConnections()
	stop()
	require.NoError(t, <-done)
	require.NoError(t, b.Close())
}

// TestIdleTimeout: a kept connection is closed after the set time without a
// request, by default later than balancers close theirs.
func TestIdleTimeout(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	require.NoError(t, err)
	require.Greater(t, b.server.IdleTimeout, 10*time.Minute)
	require.NoError(t, b.Close())

	b, err = New(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), IdleTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	c, err := net.Dial("tcp", b.listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	all, err := io.ReadAll(c)
	require.NoError(t, err, "it is closed")
	require.Contains(t, string(all), "200 OK")
	require.NoError(t, c.Close())
	stop()
	require.NoError(t, <-done)
	require.NoError(t, b.Close())
}
