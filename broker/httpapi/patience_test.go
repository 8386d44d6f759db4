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
	"github.com/snd-rental/yardline/shared/wire"
)

// TestUnsentBodies: who announces a body and does not send it is cut, on any
// route and without signing in.
func TestUnsentBodies(t *testing.T) {
	s := newSurface(t)
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

// TestEndlessBodies: a body that begins and never ends is cut also where its
// sender has signed in, on every route that reads one.
func TestEndlessBodies(t *testing.T) {
	s := newSurface(t)
	s.api.timeouts.body = 100 * time.Millisecond
	bearer := s.bearer(access.Manager, access.Admin, access.Service)
	for _, line := range []string{
		"POST /api/sse", "PUT /api/push/preferences", "POST /api/push/subscriptions", "POST /api/tokens",
		"POST /api/session",
		"GET /api/sse", "DELETE /api/session", "POST /api/connections/c-1/close", "GET /api/snapshot",
	} {
		for _, body := range []string{"Content-Length: 1000\n\n{", "Transfer-Encoding: chunked\n\n1\n{\n"} {
			_, r := s.rawRequest(line + " HTTP/1.1\nHost: localhost\n" + isJSON + "\n" + bearer + "\n" + body)
			_, err := io.Copy(io.Discard, r) // until it is closed
			var late net.Error
			require.False(t, errors.As(err, &late) && late.Timeout(), "%s %q: %v", line, body, err)
		}
	}
}

// TestQuietStreamOverHTTP2: no deadline of a write cuts a stream on which
// nothing is written.
func TestQuietStreamOverHTTP2(t *testing.T) {
	api, _, tokens := newAPI(t, memlog.New("k", time.Hour), nil)
	api.timeouts.write = 50 * time.Millisecond
	server := httptest.NewUnstartedServer(api)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} // httptest signs for itself
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
	seen := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "sync_progress") {
				seen <- nil
				return
			}
		}
		seen <- errors.Join(errors.New("the stream ended"), lines.Err())
	}()
	require.Eventually(t, func() bool { return time.Now().After(quietUntil) }, 20*time.Second, 10*time.Millisecond)
	answer := do("POST", "/api/sse", `{"type":"sync_progress","data":{"progress":1}}`)
	require.NoError(t, answer.Body.Close())
	require.NoError(t, <-seen)
	require.NoError(t, stream.Body.Close())
}

// TestStrangers get a small part of the places, are told when they say
// nothing, and keep nobody out.
func TestStrangers(t *testing.T) {
	s := newSurfaceOn(t, memlog.New("k", time.Hour), func(_ string, c *Config) { c.Limits.Connections = 50 })
	s.api.timeouts.auth = 2 * time.Second
	var strangers []*client
	for range 5 {
		strangers = append(strangers, s.socket("/api/ws"))
	}
	_, answer, err := s.dial("/api/ws")
	require.Error(t, err)
	require.Equal(t, 429, answer.StatusCode)
	frame[*wire.Hello](s.socket("/api/ws", s.bearer(access.Manager)))
	strangers[0].say(`{"call":"auth","token":"` + s.token(time.Hour, access.Manager) + `"}`)
	frame[*wire.Hello](strangers[0])
	require.Contains(t, string(frame[*wire.Reply](strangers[1]).Data), "sign_in_required")
	require.EqualValues(t, 4401, strangers[1].closed())
	strangers = append(strangers, s.socket("/api/ws")) // there is room again
	require.NotNil(t, strangers)
}

// TestGuessingKeepsNobodyOut: tries from one address slow that address down,
// not the user elsewhere.
func TestGuessingKeepsNobodyOut(t *testing.T) {
	s := newSurfaceOn(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
		withUsers(t)(dir, c)
		c.Limits.SignIns = 2
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	from := func(address, password string) int {
		answer, _ := s.send("POST", "/api/session", fmt.Sprintf(`{"user":"ann","password":%q}`, password), "X-Forwarded-For: "+address)
		return answer.StatusCode
	}
	for _, want := range []int{401, 401, 429, 429, 429} {
		require.Equal(t, want, from("198.51.100.1", "a wrong one"))
	}
	require.Equal(t, 200, from("198.51.100.2", password))
}

// TestRoleChangeMeetsAStreamThatOpens: a stream on its way while its user's
// roles change is not opened by the old ones.
func TestRoleChangeMeetsAStreamThatOpens(t *testing.T) {
	log := heldLog{memlog.New("k", time.Hour), &atomic.Bool{}, make(chan struct{}), make(chan struct{})}
	s := newSurfaceOn(t, log, withUsers(t))
	s.signIn("ann", password)
	log.armed.Store(true)
	status := make(chan int, 1)
	go func() {
		answer, err := s.client.Get(s.url + "/api/sse")
		if err != nil {
			t.Error(err)
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-log.held
	require.NoError(t, identity.EditUser(identity.UsersPath(s.dir), "ann", func(u *identity.User) error { u.Roles = nil; return nil }))
	require.Eventually(t, func() bool {
		g, _, err := s.api.Authority.Directory.User("ann")
		return err == nil && len(g.Roles) == 0
	}, 20*time.Second, time.Millisecond)
	log.release <- struct{}{}
	require.Equal(t, 409, <-status)
}

// deafStore is a store whose reads fail while the test asks for it.
type deafStore struct {
	eventlog.Log
	deaf *atomic.Bool
}

func (l deafStore) Get(ctx context.Context, key string) ([]byte, error) {
	if l.deaf.Load() {
		return nil, eventlog.ErrUnavailable
	}
	return l.Log.Get(ctx, key)
}

// TestStoreFailsWhileGrantsAreTakenAfresh: what could not be decided is looked
// at again.
func TestStoreFailsWhileGrantsAreTakenAfresh(t *testing.T) {
	log := deafStore{memlog.New("k", time.Hour), &atomic.Bool{}}
	s := newSurfaceOn(t, log, withUsers(t))
	s.signIn("ann", password)
	stream := s.reading()
	log.deaf.Store(true)
	require.NoError(t, identity.EditUser(identity.UsersPath(s.dir), "ann", func(u *identity.User) error { u.Disabled = true; return nil }))
	require.Eventually(t, func() bool { _, _, err := s.api.Authority.Directory.User("ann"); return err != nil }, 20*time.Second, time.Millisecond)
	log.deaf.Store(false)
	require.Contains(t, <-stream, `"reason":"signed_out"`)
}

// TestShutdownDoesNotWaitForGoodbyes longer than it is given.
func TestShutdownDoesNotWaitForGoodbyes(t *testing.T) {
	api, _, tokens := newAPI(t, memlog.New("k", time.Hour), nil)
	server := httptest.NewServer(api)
	defer server.Close()
	token, err := tokens.Create(access.Grant{User: "5", Roles: []access.Role{access.Admin}}, time.Hour)
	require.NoError(t, err)
	for _, credentials := range []string{"Authorization: Bearer " + token + "\r\n", ""} { // the second never says who it is
		c, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		require.NoError(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET /api/ws HTTP/1.1\r\nHost: localhost\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: yardline.v1\r\n\r\n", credentials)
		require.NoError(t, err)
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "101")
	}
	require.Eventually(t, func() bool { return api.Hub.Stats().Connections == 1 }, 20*time.Second, time.Millisecond)
	api.Hub.Drain() // its goodbye is never answered
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	api.Shutdown(ctx)
	require.Less(t, time.Since(start), 3*time.Second)
}
