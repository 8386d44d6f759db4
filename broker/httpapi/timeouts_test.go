package httpapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// A client announces a body and does not send it. The broker closes the connection, on
// every route and without authentication.
func TestUnsentBodyClosesTheConnection(t *testing.T) {
	s := newTestBroker(t)
	s.api.timeouts.body = 100 * time.Millisecond
	for _, line := range []string{"GET /healthz", "POST /api/session", "POST /api/sse", "GET /any/page"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", line)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err = io.Copy(io.Discard, c) // until it is closed
		require.NotErrorIs(t, err, context.DeadlineExceeded, line)
		var late net.Error
		require.False(t, errors.As(err, &late) && late.Timeout(), line)
		require.NoError(t, c.Close())
	}
}

// A body begins and never ends. The broker closes the connection on every route that
// reads a body, although the sender is authenticated.
func TestEndlessBodyClosesTheConnection(t *testing.T) {
	s := newTestBroker(t)
	s.api.timeouts.body = 100 * time.Millisecond
	bearer := s.bearer(access.Manager, access.Admin, access.Service)
	for _, line := range []string{
		"POST /api/sse",
		"PUT /api/push/preferences",
		"POST /api/push/subscriptions",
		"POST /api/tokens",
		"POST /api/session",
		"GET /api/sse",
		"DELETE /api/session",
		"POST /api/connections/c-1/close",
		"GET /api/snapshot",
	} {
		for _, body := range []string{"Content-Length: 1000\n\n{", "Transfer-Encoding: chunked\n\n1\n{\n"} {
			_, r := s.rawRequest(line + " HTTP/1.1\nHost: localhost\n" + isJSON + "\n" + bearer + "\n" + body)
			_, err := io.Copy(io.Discard, r) // until it is closed
			var late net.Error
			require.False(t, errors.As(err, &late) && late.Timeout(), "%s %q: %v", line, body, err)
		}
	}
}

// HTTP/2 resets a stream when its write deadline passes. The broker must leave no
// deadline in force on a stream on which nothing is written.
func TestWriteDeadlineSparesQuietHTTP2Streams(t *testing.T) {
	api, _, tokens := runAPI(t, memlog.New("k", time.Hour), nil)
	api.timeouts.write = 50 * time.Millisecond
	server := httptest.NewUnstartedServer(api)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate of httptest is self-signed
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	token, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Admin, access.Service}}, time.Hour)
	require.NoError(t, err)
	do := func(method, path, body string) *http.Response {
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := transport.RoundTrip(r)
		require.NoError(t, err)
		return answer
	}
	stream := do("GET", "/api/sse", "")
	require.Equal(t, 2, stream.ProtoMajor)
	quietUntil := time.Now().Add(10 * api.timeouts.write)
	received := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "sync_progress") {
				received <- nil
				return
			}
		}
		received <- errors.Join(errors.New("the stream ended"), lines.Err())
	}()
	waittest.Eventually(t, func() bool { return time.Now().After(quietUntil) }, 20*time.Second, 10*time.Millisecond)
	answer := do("POST", "/api/sse", `{"type":"sync_progress","data":{"progress":1}}`)
	require.NoError(t, answer.Body.Close())
	require.NoError(t, <-received)
	require.NoError(t, stream.Body.Close())
}

// Unauthenticated WebSockets get a tenth of all connections, get a refusal when they send
// nothing, and keep no user out.
func TestUnauthenticatedWebSocketsGetATenthOfTheConnections(t *testing.T) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(_ string, c *Config) { c.Limits.Connections = 50 })
	s.api.timeouts.auth = 2 * time.Second
	var strangers []*client
	for range 5 {
		strangers = append(strangers, s.socket("/api/ws"))
	}
	_, answer, err := s.dial("/api/ws")
	require.Error(t, err)
	require.Equal(t, 429, answer.StatusCode)
	nextFrame[*wire.Hello](s.socket("/api/ws", s.bearer(access.Manager)))
	strangers[0].sendText(`{"call":"auth","token":"` + s.token(time.Hour, access.Manager) + `"}`)
	nextFrame[*wire.Hello](strangers[0])
	require.Contains(t, string(nextFrame[*wire.Reply](strangers[1]).Data), "sign_in_required")
	require.EqualValues(t, 4401, strangers[1].closed())
	strangers = append(strangers, s.socket("/api/ws")) // a slot is free again
	require.NotNil(t, strangers)
}

// Wrong passwords from one address slow down that address, and not the user at another
// one.
func TestPasswordGuessingSlowsDownOneAddressAlone(t *testing.T) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
		withUsers(t)(dir, c)
		c.Limits.SignIns = 2
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	from := func(address, password string) int {
		answer, _ := s.send("POST", "/api/session", fmt.Sprintf(`{"user":"ann","password":%q}`, password),
			"X-Forwarded-For: "+address)
		return answer.StatusCode
	}
	for _, want := range []int{401, 401, 429, 429, 429} {
		require.Equal(t, want, from("198.51.100.1", "a wrong one"))
	}
	require.Equal(t, 200, from("198.51.100.2", password))
}

// The roles of a user change while the user's stream is being opened. The broker must
// refuse the stream.
func TestStreamDoesNotOpenWithOldRoles(t *testing.T) {
	overBothWriters(t, testStreamDoesNotOpenWithOldRoles)
}

func testStreamDoesNotOpenWithOldRoles(t *testing.T, change configChange) {
	log := pausingLog{memlog.New("k", time.Hour), &atomic.Bool{}, make(chan struct{}), make(chan struct{})}
	s := newTestBrokerWith(t, log, change, withUsers(t))
	s.signIn("ann", password)
	log.armed.Store(true)
	status := make(chan int, 1)
	go func() {
		answer, err := s.client.Get(s.url + "/api/sse?after=k-99")
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-log.held
	require.NoError(t, s.editAnn(func(u *identity.User) { u.Roles = nil }))
	waittest.Eventually(t, func() bool {
		g, _, err := s.api.Authority.Directory.User("ann")
		return err == nil && len(g.Roles) == 0
	}, 20*time.Second, time.Millisecond)
	log.release <- struct{}{}
	require.Equal(t, 409, <-status)
}

// A failingStore is a store whose reads fail while failing is true.
type failingStore struct {
	eventlog.Log
	failing *atomic.Bool
}

func (l failingStore) Get(ctx context.Context, key string) ([]byte, error) {
	if l.failing.Load() {
		return nil, eventlog.ErrUnavailable
	}
	return l.Log.Get(ctx, key)
}

// The store fails while the broker checks grants. It checks them again until the store
// answers.
func TestUndecidedGrantIsCheckedAgain(t *testing.T) {
	overBothWriters(t, testUndecidedGrantIsCheckedAgain)
}

func testUndecidedGrantIsCheckedAgain(t *testing.T, change configChange) {
	log := failingStore{memlog.New("k", time.Hour), &atomic.Bool{}}
	s := newTestBrokerWith(t, log, change, withUsers(t))
	s.signIn("ann", password)
	stream := s.openStream()
	log.failing.Store(true)
	require.NoError(t, s.editAnn(func(u *identity.User) { u.Disabled = true }))
	waittest.Eventually(t, func() bool {
		_, _, err := s.api.Authority.Directory.User("ann")
		return err != nil
	}, 20*time.Second, time.Millisecond)
	log.failing.Store(false)
	require.Contains(t, <-stream, `"reason":"signed_out"`)
}

// Two WebSockets never answer a goodbye. Shutdown waits for them only until its context
// ends.
func TestShutdownClosesWebSocketsThatDoNotAnswerTheGoodbye(t *testing.T) {
	api, _, tokens := runAPI(t, memlog.New("k", time.Hour), nil)
	server := httptest.NewServer(api)
	defer server.Close()
	token, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Admin}}, time.Hour)
	require.NoError(t, err)
	// The second WebSocket never authenticates.
	for _, credentials := range []string{"Authorization: Bearer " + token + "\r\n", ""} {
		c, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		require.NoError(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c,
			"GET /api/ws HTTP/1.1\r\nHost: localhost\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
				"Sec-WebSocket-Protocol: yardline.v1\r\n\r\n", credentials)
		require.NoError(t, err)
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "101")
	}
	waittest.Eventually(t, func() bool { return api.Hub.Stats().Connections == 1 }, 20*time.Second, time.Millisecond)
	api.Hub.Drain() // the clients never answer the goodbye
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	api.Shutdown(ctx)
	require.Less(t, time.Since(start), 3*time.Second)
}
