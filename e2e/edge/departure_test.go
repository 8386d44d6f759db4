package edge

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// The edge notices that a client has left in each version of workerd, although the versions report it differently.
func TestEdgeNoticesThatAClientHasLeft(t *testing.T) {
	t.Parallel()
	for _, runtime := range stack.Runtimes {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			s := stack.StartEdge(t, stack.Runtime(runtime), stack.Var("HEARTBEAT", "1h"))
			admin := s.TokenFor("5", 0, access.Admin)
			connections := func() int { return connectionCount(t, s, admin) }
			testkit.PublishNumbered(s, 0, 1)
			head := testkit.ReadPage(t, s.URL, s.Token, "limit=1").Head.String()
			stream, poll := testkit.GetRaw(t, s, "/api/sse"), testkit.GetRaw(t, s, "/api/events?wait=50&after="+head)
			waittest.Eventually(t, func() bool { return connections() == 2 }, testkit.Soon, 10*time.Millisecond)

			// The edge notices a reset at once, although it writes nothing.
			for _, c := range []net.Conn{stream, poll} {
				require.NoError(t, c.(*net.TCPConn).SetLinger(0)) // Close sends a reset.
				require.NoError(t, c.Close())
			}
			waittest.Eventually(t, func() bool { return connections() == 0 }, testkit.Soon, 10*time.Millisecond)

			// The edge notices a normal end when it writes an event.
			for range 5 {
				testkit.Get(t, http.DefaultClient, s.URL+"/api/sse?after="+head, s.Token).Body.Close()
			}
			n := 1
			waittest.Eventually(t, func() bool {
				testkit.PublishNumbered(s, n, n+1)
				n++
				return connections() == 0
			}, testkit.Soon, 10*time.Millisecond)
		})
	}
}
