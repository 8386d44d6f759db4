package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestAdminSeesAndClosesConnections(t *testing.T) {
	overBothWriters(t, testAdminSeesAndClosesConnections)
}

func testAdminSeesAndClosesConnections(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	admin, manager := s.bearer(access.Admin), s.token(time.Hour, access.Manager)
	for _, path := range []string{"/api/stats", "/api/connections/c-1/close"} {
		method := map[bool]string{true: "GET", false: "POST"}[path == "/api/stats"]
		r, text := s.send(method, path, "", "Authorization: Bearer "+manager)
		require.Equal(t, 403, r.StatusCode, text)
	}
	request, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+manager)
	stream, err := s.client.Do(request)
	require.NoError(t, err)
	defer stream.Body.Close()
	s.send("POST", "/api/sse", `{"type":"rental_overdue","data":{"rental_id":1,"days_overdue":1}}`,
		s.bearer(access.Service), isJSON)

	var stats hub.Stats
	waittest.Eventually(t, func() bool {
		_, text := s.send("GET", "/api/stats", "", admin)
		require.NoError(t, json.Unmarshal([]byte(text), &stats))
		return stats.Deliveries == 1
	}, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, 1, stats.Connections)
	require.Equal(t, map[string]int{"sse": 1, "websocket": 0, "poll": 0}, stats.ByTransport)
	require.EqualValues(t, 1, stats.Events)
	require.Equal(t, "user:9", stats.Open[0].Actor)

	r, _ := s.send("POST", "/api/connections/nobody/close", "", admin)
	require.Equal(t, 404, r.StatusCode)
	r, _ = s.send("POST", "/api/connections/"+stats.Open[0].ID+"/close", "", admin)
	require.Equal(t, 204, r.StatusCode)
	rest, err := io.ReadAll(stream.Body)
	require.NoError(t, err)
	require.Contains(t, string(rest), `"reason":"stop"`)
}
