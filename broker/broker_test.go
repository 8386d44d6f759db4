package broker

import (
	"context"
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
