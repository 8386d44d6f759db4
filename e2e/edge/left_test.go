package edge

import (
	"encoding/json"
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
			connections := func() int {
				answer := testkit.Get(t, http.DefaultClient, s.URL+"/api/stats", admin)
				defer answer.Body.Close()
				var stats struct{ Connections int }
				require.NoError(t, json.NewDecoder(answer.Body).Decode(&stats))
				return stats.Connections
			}
			testkit.PublishNumbered(s, 0, 1)
			head := testkit.ReadPage(t, s.URL, s.Token, "limit=1").Head.String()
			stream, poll := testkit.GetRaw(t, s, "/api/sse"), testkit.GetRaw(t, s, "/api/events?wait=50&after="+head)
			waittest.Eventually(t, func() bool { return connections() == 2 }, testkit.Soon, 10*time.Millisecond)

			// What breaks off is noticed at once, although nothing is written.
			for _, c := range []net.Conn{stream, poll} {
				require.NoError(t, c.(*net.TCPConn).SetLinger(0)) // a reset, in place of a polite end
				require.NoError(t, c.Close())
			}
			waittest.Eventually(t, func() bool { return connections() == 0 }, testkit.Soon, 10*time.Millisecond)

			// What ends politely is noticed when there is something to write.
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
