package broker

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/shared/waittest"
)

func TestRunServesAndLeavesNoGoroutines(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, stop := start(t, Config{Demo: true, DemoRate: 200})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	waittest.Eventually(t, func() bool {
		answer, err := client.Get(b.URL() + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK && b.hub.Entity("location/1") != nil
	}, 20*time.Second, 5*time.Millisecond)
	stop()
}

func TestNewRefusesAnAddressInUse(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := open(t, Config{})
	_, err := New(t.Context(), Config{Listen: b.listener.Addr().String(), Data: t.TempDir()})
	require.ErrorContains(t, err, "cannot listen on")
	require.NoError(t, b.listener.Close())
	require.NoError(t, b.Close())
}

func TestDebugServerAnswersOnlyUnderNamesOfThisMachine(t *testing.T) {
	defer goleak.VerifyNone(t)
	b, stop := start(t, Config{DebugListen: "127.0.0.1:0"})
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
}

func TestIdleConnectionsCloseAfterIdleTimeout(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := open(t, Config{})
	require.Greater(t, b.server.IdleTimeout, 10*time.Minute, "load balancers must close first")
	require.NoError(t, b.Close())

	b, stop := start(t, Config{IdleTimeout: 100 * time.Millisecond})
	c, err := net.Dial("tcp", b.listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	all, err := io.ReadAll(c)
	require.NoError(t, err, "the broker must close the connection")
	require.Contains(t, string(all), "200 OK")
	require.NoError(t, c.Close())
	stop()
}
