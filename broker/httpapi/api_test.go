package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
)

func TestPublishAnswersWithAReceipt(t *testing.T) {
	s := newTestBroker(t)
	service := s.bearer(access.Service)
	body := `{"specversion":"1.0","type":"sync_progress","id":"a","source":"/erp",` +
		`"datacontenttype":"application/json","data":{"progress":1,"colour":"red"}}`
	answer, text := s.send("POST", "/api/sse", body, service,
		"Content-Type: application/cloudevents+json; charset=utf-8")
	require.Equal(t, 201, answer.StatusCode)
	require.JSONEq(t, `{"id":"a","cursor":"k-1","duplicate":false,`+
		`"warnings":[{"pointer":"/data/colour","message":"unknown field, dropped"}]}`, text)
	answer, text = s.send("POST", "/api/sse", body, service, isJSON)
	require.Equal(t, 200, answer.StatusCode)
	require.Contains(t, text, `"duplicate":true`)
}

func TestLastEventIDWinsOverTheURL(t *testing.T) {
	s := newTestBroker(t)
	service, manager := s.bearer(access.Service), s.token(time.Hour, access.Manager)
	s.send("POST", "/api/sse",
		`{"type":"payment_received","id":"1","data":{"rental_id":1,"amount":5,"payment_method":"cash"}}`,
		service, isJSON)
	s.send("POST", "/api/sse", `{"type":"system_notification","id":"2","data":{"message":"m"}}`, service, isJSON)
	r, err := http.NewRequest("GET", s.url+"/api/sse?types=system_notification&after=k-1", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+manager)
	r.Header.Set("Last-Event-ID", "k-0") // takes precedence over after=
	answer, err := s.client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, "text/event-stream; charset=utf-8", answer.Header.Get("Content-Type"))
	require.Equal(t, "no-store, no-transform", answer.Header.Get("Cache-Control"))
	require.Equal(t, "no", answer.Header.Get("X-Accel-Buffering"))
	require.Equal(t, []string{"chunked"}, answer.TransferEncoding)
	lines := bufio.NewScanner(answer.Body)
	var got []string
	for len(got) < 8 && lines.Scan() {
		got = append(got, lines.Text())
	}
	require.Equal(t, []string{"retry: 1000", "id: k-0", "event: hello"}, got[:3])
	require.Equal(t, []string{"", "id: k-2", "event: system_notification"}, got[4:7])
	require.True(t, strings.HasPrefix(got[7], `data: {"specversion":"1.0","id":"2","type":"system_notification"`),
		got[7])
}

// A second sign-in replaces the session of the first and ends its stream. After the
// sign-out the old cookie is refused.
func TestSignInReplacesTheSessionAndEndsItsStream(t *testing.T) {
	s := newTestBroker(t)
	who := func() string {
		_, body := s.send("GET", "/api/session", "")
		var answer session
		require.NoError(t, json.Unmarshal([]byte(body), &answer))
		require.Len(t, answer.Users, 6)
		if answer.User == nil {
			return ""
		}
		return answer.User.Name
	}
	require.Equal(t, "", who())
	answer, _ := s.send("POST", "/api/session", `{"user":"employee"}`)
	cookie := answer.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "employee", who())

	r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(t, err)
	stream, err := s.client.Do(r)
	require.NoError(t, err)
	defer stream.Body.Close()
	answer, _ = s.send("POST", "/api/session", `{"user":"manager"}`)
	require.NotEqual(t, cookie.Value, answer.Cookies()[0].Value)
	require.Equal(t, "manager", who())
	rest, err := io.ReadAll(stream.Body) // the stream ends by itself
	require.NoError(t, err)
	require.Contains(t, string(rest), `"reason":"signed_out"`)

	answer, _ = s.send("DELETE", "/api/session", "")
	require.Equal(t, 204, answer.StatusCode)
	require.Equal(t, "", who())
	// The broker refuses the old cookie.
	old := &http.Client{Transport: s.client.Transport}
	r, err = http.NewRequest("GET", s.url+"/api/snapshot", nil)
	require.NoError(t, err)
	r.AddCookie(cookie)
	late, err := old.Do(r)
	require.NoError(t, err)
	late.Body.Close()
	require.Equal(t, 401, late.StatusCode)
}

// A pausingLog pauses one call of Bounds until the test releases it. The hub calls Bounds to open
// a stream after a place that it does not know.
type pausingLog struct {
	eventlog.Log
	armed         *atomic.Bool
	held, release chan struct{}
}

func (l pausingLog) Bounds(ctx context.Context) (eventlog.Bounds, error) {
	if l.armed.CompareAndSwap(true, false) {
		l.held <- struct{}{}
		<-l.release
	}
	return l.Log.Bounds(ctx)
}

// The session ends while its stream is being opened. The broker must refuse the stream.
func TestStreamDoesNotOpenAfterItsSessionEnded(t *testing.T) {
	log := pausingLog{memlog.New("k", time.Hour), &atomic.Bool{}, make(chan struct{}), make(chan struct{})}
	s := newTestBrokerWith(t, log, nil)
	answer, _ := s.send("POST", "/api/session", `{"user":"hr"}`)
	cookie := answer.Cookies()[0]
	log.armed.Store(true)
	status := make(chan int, 1)
	go func() {
		r, err := http.NewRequest("GET", s.url+"/api/sse?after=k-99", nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.AddCookie(cookie)
		answer, err := (&http.Client{Transport: s.client.Transport}).Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-log.held
	s.send("DELETE", "/api/session", "")
	log.release <- struct{}{}
	require.Equal(t, 401, <-status)
}

// The publisher closes its side of the connection when it has sent the event. It must
// still get the receipt.
func TestHalfClosedPublisherGetsItsReceipt(t *testing.T) {
	s := newTestBroker(t)
	body := `{"type":"sync_progress","data":{"progress":1}}`
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(c,
			"POST /api/sse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+
				"Authorization: Bearer %s\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
			s.token(time.Hour, access.Service), isJSON, len(body), body)
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		text, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(text), "201 Created")
		require.Contains(t, string(text), `"cursor":"k-`)
		require.NoError(t, c.Close())
	}
}

func TestStreamsEndWithTheirToken(t *testing.T) {
	s := newTestBroker(t)
	r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token(2*time.Second, access.Manager))
	stream, err := s.client.Do(r)
	require.NoError(t, err)
	defer stream.Body.Close()
	all, err := io.ReadAll(stream.Body)
	require.NoError(t, err)
	require.Contains(t, string(all), `"reason":"expired"`)
}

func TestHealthzReadyzAndPagesAnswer(t *testing.T) {
	s := newTestBroker(t)
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		answer, body := s.send("GET", path, "")
		require.Equal(t, 200, answer.StatusCode)
		require.JSONEq(t, want, body)
	}
	answer, body := s.send("GET", "/any/page", "")
	require.Equal(t, "page", body)
	require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
}
