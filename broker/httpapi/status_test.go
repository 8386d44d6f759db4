package httpapi

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// An unhealthyLog is a log whose health is set by the test.
type unhealthyLog struct {
	eventlog.Log
	err error
}

func (f *unhealthyLog) Health() error { return f.err }

// Everybody may read the public status, from any page, and it reveals nothing else.
func TestEveryPageMayReadThePublicStatus(t *testing.T) {
	log := &unhealthyLog{Log: memlog.New("k", time.Hour)}
	s := newTestBrokerWith(t, log, nil)
	var got map[string]string
	read := func() *http.Response {
		answer, text := s.send("GET", "/embed/v1/status.json", "", "Origin: https://host.example")
		require.NoError(t, json.Unmarshal([]byte(text), &got), text)
		return answer
	}
	waittest.Eventually(t, func() bool { read(); return got["state"] == "live" }, 20*time.Second, time.Millisecond)
	answer := read()
	require.Len(t, got, 3)
	require.Equal(t, "*", answer.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "cross-origin", answer.Header.Get("Cross-Origin-Resource-Policy"))
	require.Empty(t, answer.Header.Get("Access-Control-Allow-Credentials"))
	require.Empty(t, answer.Header.Get("Set-Cookie"))
	again, body := s.send("GET", "/embed/v1/status.json", "", "If-None-Match: "+answer.Header.Get("ETag"))
	require.Equal(t, http.StatusNotModified, again.StatusCode)
	require.Empty(t, body)
	badge, svg := s.send("GET", "/embed/v1/status.svg", "")
	require.Equal(t, "image/svg+xml", badge.Header.Get("Content-Type"))
	require.Contains(t, svg, `aria-label="Yardline: live"`)

	request, err := http.NewRequest("GET", s.url+"/embed/v1/status.events", nil)
	require.NoError(t, err)
	stream, err := s.client.Do(request)
	require.NoError(t, err)
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	next := func() (state string) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				require.NoError(t, json.Unmarshal([]byte(data), &got))
				return got["state"]
			}
		}
		return "ended"
	}
	require.Equal(t, "live", next())
	s.api.status.set("limited") // as RefreshStatus would; the next refresh sets it to "live" again
	require.Equal(t, "limited", next())
	require.Equal(t, "live", next())
	s.api.Hub.Drain()
	require.Equal(t, "disconnected", next())
	require.Equal(t, "ended", next())
	require.Equal(t, "limited", publicState(eventlog.ErrFull))
}

// Admins create tokens for back ends alone. Such a token can publish, and cannot read.
func TestAdminsCreateTokensThatCannotRead(t *testing.T) {
	s := newTestBroker(t)
	answer, _ := s.send("POST", "/api/tokens", `{"user":"erp","hours":1}`, s.bearer(access.Manager), isJSON)
	require.Equal(t, 403, answer.StatusCode)
	for _, bad := range []string{`{"user":"erp","hours":0}`, `{"user":"a\nb","hours":1}`,
		`{"user":"erp","hours":1,"roles":["hr"]}`, `{"user":"erp","hours":99999}`} {
		answer, _ = s.send("POST", "/api/tokens", bad, s.bearer(access.Admin), isJSON)
		require.Equal(t, 422, answer.StatusCode, bad)
	}
	_, text := s.send("POST", "/api/tokens", `{"user":"erp","hours":1}`, s.bearer(access.Admin), isJSON)
	var signed struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(text), &signed))
	bearer := "Authorization: Bearer " + signed.Token
	answer, text = s.send("POST", "/api/sse", `{"type":"payroll_processed","data":{"period":"2026-11"}}`, bearer,
		isJSON)
	require.Equal(t, 201, answer.StatusCode, text)
	_, text = s.send("GET", "/api/events", "", bearer)
	require.Contains(t, text, `"events":[]`)
}
