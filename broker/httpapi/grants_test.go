package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

const password = "correct horse"

// withUsers returns a change of the configuration that adds a users file with ann, a
// manager, and her password.
func withUsers(t *testing.T) func(dir string, c *Config) {
	return func(dir string, c *Config) {
		hash, err := identity.HashPassword(password)
		require.NoError(t, err)
		path := identity.UsersPath(dir)
		require.NoError(t, identity.EditUsers(path, func([]identity.User) ([]identity.User, error) {
			return []identity.User{{ID: "7", Name: "ann", Password: hash, Roles: []access.Role{access.Manager}}}, nil
		}))
		c.Authority.Directory, err = identity.OpenUsers(path)
		require.NoError(t, err)
		c.LoopbackOnly = false
	}
}

// editAnn changes the user ann in the users file.
func (s *testBroker) editAnn(edit func(*identity.User)) error {
	return identity.EditUser(identity.UsersPath(s.dir), "ann", func(u *identity.User) error {
		edit(u)
		return nil
	})
}

// signIn signs a user in, whose cookie the client keeps.
func (s *testBroker) signIn(user, password string) (*http.Response, string) {
	s.Helper()
	return s.send("POST", "/api/session", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
}

// openStream opens a stream. The channel gets all of its text when it has ended.
func (s *testBroker) openStream(headers ...string) <-chan string {
	s.Helper()
	r, err := http.NewRequest("GET", s.url+"/api/sse", nil)
	require.NoError(s, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := s.client.Do(r)
	require.NoError(s, err)
	require.Equal(s, 200, answer.StatusCode)
	ended := make(chan string, 1)
	go func() {
		defer answer.Body.Close()
		all, _ := io.ReadAll(answer.Body) // the test wants the text, however the stream ends
		ended <- string(all)
	}()
	return ended
}

// openLongPoll opens a long poll for events that nobody publishes. The channel gets the
// status and the body of its answer.
func (s *testBroker) openLongPoll(headers ...string) <-chan string {
	s.Helper()
	before := s.api.Hub.Stats().ByTransport["poll"]
	ended := make(chan string, 1)
	r, err := http.NewRequest("GET", s.url+"/api/events?after=k-0&wait=50&types=payroll_processed", nil)
	require.NoError(s, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	go func() {
		answer, err := s.client.Do(r)
		if err != nil {
			ended <- err.Error()
			return
		}
		defer answer.Body.Close()
		all, _ := io.ReadAll(answer.Body)
		ended <- fmt.Sprint(answer.StatusCode, " ", string(all))
	}()
	waittest.Eventually(s, func() bool {
		return s.api.Hub.Stats().ByTransport["poll"] > before
	}, 20*time.Second, time.Millisecond)
	return ended
}

// A stream, a WebSocket and a long poll end when their user gets other roles, is disabled or gets another
// password. A client that reconnects learns of its new grant from the hello.
func TestChangedUserClosesConnections(t *testing.T) {
	overBothWriters(t, testChangedUserClosesConnections)
}

func testChangedUserClosesConnections(t *testing.T, change configChange) {
	for name, c := range map[string]struct {
		change func(s *testBroker) error
		reason wire.Reason
		poll   string // the answer of a long poll
	}{
		"role": {func(s *testBroker) error {
			return s.editAnn(func(u *identity.User) { u.Roles = []access.Role{access.Yard} })
		}, wire.ByeRegrant, `409 {"type":"urn:yardline:problem:regranted"`},
		"disabled": {func(s *testBroker) error {
			return s.editAnn(func(u *identity.User) { u.Disabled = true })
		}, wire.ByeSignedOut, `401 {"type":"urn:yardline:problem:sign_in_required"`},
		"password": {func(s *testBroker) error {
			hash, err := identity.HashPassword("another password")
			return errors.Join(err, s.editAnn(func(u *identity.User) { u.Password = hash }))
		}, wire.ByeSignedOut, `401 {"type":"urn:yardline:problem:sign_in_required"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, withUsers(t))
			answer, text := s.signIn("ann", password)
			require.Equal(t, 200, answer.StatusCode, text)
			stream, poll, socket := s.openStream(), s.openLongPoll(), s.socket("/api/ws")
			before := nextFrame[*wire.Hello](socket)
			start := time.Now()
			require.NoError(t, c.change(s))
			require.Contains(t, <-stream, fmt.Sprintf(`"reason":%q`, c.reason))
			require.Equal(t, c.reason, nextFrame[*wire.Bye](socket).Reason)
			require.True(t, strings.HasPrefix(<-poll, c.poll))
			// The broker promises 2 s. The test allows for a busy machine.
			require.Less(t, time.Since(start), 10*time.Second)
			t.Logf("after %v", time.Since(start))
			if c.reason == wire.ByeRegrant {
				require.NotEqual(t, before.Grant, nextFrame[*wire.Hello](s.socket("/api/ws")).Grant)
			} else {
				answer, _ := s.send("GET", "/api/snapshot", "")
				require.Equal(t, 401, answer.StatusCode)
			}
		})
	}
}

// A rotation of the key ends what is open by tokens of the old key. The broker refuses these tokens.
func TestKeyRotationEndsOldTokens(t *testing.T) { overBothWriters(t, testKeyRotationEndsOldTokens) }

func testKeyRotationEndsOldTokens(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	old := s.bearer(access.Manager)
	stream, poll, socket := s.openStream(old), s.openLongPoll(old), s.socket("/api/ws", old)
	nextFrame[*wire.Hello](socket)
	require.NoError(t, identity.RotateKey(s.dir))
	require.Contains(t, <-stream, `"reason":"regrant"`)
	require.EqualValues(t, wire.ByeRegrant.CloseCode(), socket.closed())
	require.True(t, strings.HasPrefix(<-poll, `401 {"type":"urn:yardline:problem:invalid_token"`))
	answer, _ := s.send("GET", "/api/snapshot", "", old)
	require.Equal(t, 401, answer.StatusCode)
	answer, _ = s.send("GET", "/api/snapshot", "", s.bearer(access.Manager))
	require.Equal(t, 200, answer.StatusCode, "the broker signs with the new key")
}

// Two brokers share a log. A sign-out at one ends the streams at the other.
func TestSignOutAtAnotherBrokerEndsStreams(t *testing.T) {
	overBothWriters(t, testSignOutAtAnotherBrokerEndsStreams)
}

func testSignOutAtAnotherBrokerEndsStreams(t *testing.T, change configChange) {
	log := memlog.New("k", time.Hour)
	shared := func(_ string, c *Config) { c.Authority.SharedSessions = true }
	here, there := newTestBrokerWith(t, log, change, shared), newTestBrokerWith(t, log, change, shared)
	here.send("POST", "/api/session", `{"user":"manager"}`)
	stream := here.openStream()
	home, err := url.Parse(here.url)
	require.NoError(t, err)
	cookie := here.client.Jar.Cookies(home)[0]
	answer, _ := there.send("DELETE", "/api/session", "", "Cookie: "+cookie.Name+"="+cookie.Value)
	require.Equal(t, 204, answer.StatusCode)
	require.Contains(t, <-stream, `"reason":"signed_out"`)
}

// A sign-out ends a long poll at once, and not at the end of its wait.
func TestSignOutEndsALongPoll(t *testing.T) {
	s := newTestBroker(t)
	s.send("POST", "/api/session", `{"user":"hr"}`)
	poll := s.openLongPoll()
	s.send("DELETE", "/api/session", "")
	require.True(t, strings.HasPrefix(<-poll, "401 "))
}

// An unknown user and a wrong password get equal answers. The broker slows down too many
// tries, by user and by address.
func TestFailedSignInsLookEqualAndAreSlowedDown(t *testing.T) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
		withUsers(t)(dir, c)
		c.Limits.SignIns = 3
	})
	var bodies []string
	for _, c := range [][2]string{{"ann", "wrong horse"}, {"bob", password}, {"ann", ""}} {
		answer, body := s.signIn(c[0], c[1])
		require.Equal(t, 401, answer.StatusCode)
		require.Empty(t, answer.Cookies())
		bodies = append(bodies, body)
	}
	require.Equal(t, bodies[0], bodies[1])
	require.Equal(t, bodies[0], bodies[2])
	answer, body := s.signIn("ann", password)
	require.Equal(t, 200, answer.StatusCode, body)
	require.Contains(t, body, `"sign_in":"password"`)
	require.False(t, answer.Cookies()[0].Secure, "plain HTTP on a name of this machine")
	// Ann's name and this address have used their three tries. Letter case does not matter.
	answer, body = s.signIn("ANN", password)
	require.Equal(t, 429, answer.StatusCode)
	require.Contains(t, body, "too_many_sign_ins")
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	for i := range 20 { // the address has four times as many
		answer, _ = s.signIn(fmt.Sprint("user", i), "x")
	}
	require.Equal(t, 429, answer.StatusCode)
	require.True(t, NeedsSecureCookie(&http.Request{Host: "yard.example"}))
}

func TestLimitsPerCredentialUserAndAddress(t *testing.T) {
	overBothWriters(t, testLimitsPerCredentialUserAndAddress)
}

func testLimitsPerCredentialUserAndAddress(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, func(_ string, c *Config) {
		c.Limits = Limits{PerCredential: 2, PerUser: 3, PerAddress: 4, PublishRate: 1}
	})
	one, two := s.bearer(access.Manager), s.bearer(access.Manager)
	refused := func(code, body string, answer *http.Response) {
		t.Helper()
		require.Equal(t, 429, answer.StatusCode, body)
		require.Contains(t, body, code)
		require.NotEmpty(t, answer.Header.Get("Retry-After"))
	}
	s.openStream(one)
	s.socket("/api/ws", one)
	answer, body := s.send("GET", "/api/sse", "", one)
	refused("of one session or token", body, answer)
	poll := s.openLongPoll(two)
	answer, body = s.send("GET", "/api/events?after=k-0&wait=1", "", two)
	refused("of one user", body, answer)
	s.send("POST", "/api/session", `{"user":"admin"}`)
	s.openStream()
	_, refusal, err := s.dial("/api/ws")
	require.Error(t, err)
	require.Equal(t, 429, refusal.StatusCode, "the address has four")

	service := s.bearer(access.Service)
	event := `{"type":"payroll_processed","data":{"period":"2026-11"}}`
	batch := "[" + strings.Repeat(event+",", 999) + event + "]"
	answer, body = s.send("POST", "/api/sse", batch, service, "Content-Type: application/cloudevents-batch+json")
	require.Equal(t, 201, answer.StatusCode, body)
	// The other credential of the same user has a bucket of its own, but both share the
	// user's bucket. The broker accepts one event a second, and the batch may have taken
	// seconds.
	for _, credential := range []string{service, s.bearer(access.Service)} {
		for range 60 {
			if answer, body = s.send("POST", "/api/sse", event, credential, isJSON); answer.StatusCode != 201 {
				break
			}
		}
		refused("too_many_events", body, answer)
	}
	require.True(t, strings.HasPrefix(<-poll, "200 "), "what is open stays")
}

// A broker with all connections in use tells new clients to reconnect, at different
// times. It closes no open connection.
func TestFullBrokerKeepsOpenConnections(t *testing.T) {
	overBothWriters(t, testFullBrokerKeepsOpenConnections)
}

func testFullBrokerKeepsOpenConnections(t *testing.T, change configChange) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change, func(_ string, c *Config) {
		c.Limits.Connections = 2
	})
	manager := s.bearer(access.Manager)
	stream, socket := s.openStream(manager), s.socket("/api/ws", manager)
	nextFrame[*wire.Hello](socket)
	waits := map[string]bool{}
	for range 30 {
		answer, body := s.send("GET", "/api/sse", "", manager)
		require.Equal(t, 503, answer.StatusCode)
		require.Contains(t, body, `"code":"full"`)
		waits[answer.Header.Get("Retry-After")] = true
	}
	require.Greater(t, len(waits), 3)
	socket.sendText(`{"call":"ping"}`)
	nextFrame[*wire.Reply](socket)
	select {
	case <-stream:
		t.Fatal("a stream was ended")
	default:
	}
	socket.drop()
	waittest.Eventually(t, func() bool {
		s.api.gate.mu.Lock()
		defer s.api.gate.mu.Unlock()
		return s.api.gate.total == 1
	}, 20*time.Second, time.Millisecond)
	s.openStream(manager)
}

// The broker believes X-Forwarded-For of the configured proxies alone.
func TestOnlyTrustedProxiesSetTheClientAddress(t *testing.T) {
	a := &API{Config: Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7, 10.1.1.1", "198.51.100.7"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"[2001:db8::1]:5", "198.51.100.7", "2001:db8::/64"},
		{"10.0.0.1:5", "2001:db8:0:1::7", "2001:db8:0:1::/64"},
		{"10.0.0.1:5", "198.51.100.7:61234", "198.51.100.7"},
		{"10.0.0.1:5", "198.51.100.7:1, 10.1.1.1:65535", "198.51.100.7"},
		{"10.0.0.1:5", "[2001:db8:0:1::7]:443", "2001:db8:0:1::/64"},
		{"10.0.0.1:5", "[2001:db8:0:1::7]", "2001:db8:0:1::/64"},
		{"10.0.0.1:5", `"[2001:db8:0:1::7]:443"`, "2001:db8:0:1::/64"},
		{"10.0.0.1:5", "::ffff:198.51.100.7", "198.51.100.7"},
		{"10.0.0.1:5", "[::ffff:198.51.100.7]:80", "198.51.100.7"},
		{"10.0.0.1:5", "fe80::1%eth0", "fe80::/64"},
		{"10.0.0.1:5", "198.51.100.7, unknown", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.7:x", "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
		require.Equal(t, c.want, a.clientAddress(r), "%+v", c)
	}
}

// The memory of the rate limits depends on the number of active clients, not of all
// clients ever.
func TestFullBucketsAreForgotten(t *testing.T) {
	r := rateLimiters{byKey: map[string]*rate.Limiter{}}
	now := time.Now()
	for i := range 10_000 {
		require.Zero(t, r.reserve(now.Add(time.Duration(i)*time.Second), 1, bucket{fmt.Sprint(i), 1, 10}))
	}
	require.Less(t, len(r.byKey), 2000)
	require.Equal(t, time.Minute, r.reserve(now, 11, bucket{"x", 1, 10}))
	require.Zero(t, r.reserve(now, 10, bucket{"x", 1, 10}))
	require.Equal(t, time.Second, r.reserve(now, 1, bucket{"x", 1, 10}, bucket{"y", 1, 1}))
	require.Zero(t, r.reserve(now, 1, bucket{"y", 1, 1}), "what was refused is given back")
}

// Each request has an id in the log, and each stream the id of its connection. No log
// line, metric or refusal has a secret.
func TestLogsHaveRequestIDsAndNoSecrets(t *testing.T) {
	var lines syncbuffer.Buffer
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), func(dir string, c *Config) {
		withUsers(t)(dir, c)
		c.Logger = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	token := s.token(time.Hour, access.Manager, access.Admin)
	var said strings.Builder
	for _, send := range [][]string{
		{"GET", "/api/stats", ""}, {"GET", "/metrics", ""}, {"GET", "/api/snapshot?token=" + token, ""},
		{"POST", "/api/session", `{"user":"ann","password":"hunter2hunter2"}`},
		{"POST", "/api/sse", `{"type":"` + token + `"}`},
	} {
		answer, body := s.send(send[0], send[1], send[2], "Authorization: Bearer "+token, isJSON)
		require.Regexp(t, `^r-[a-z0-9]{12}$`, answer.Header.Get("X-Request-Id"))
		waittest.Eventually(t, func() bool {
			return strings.Contains(lines.String(), answer.Header.Get("X-Request-Id"))
		}, 20*time.Second, time.Millisecond)
		said.WriteString(body)
	}
	s.signIn("ann", password)
	home, err := url.Parse(s.url)
	require.NoError(t, err)
	cookie := s.client.Jar.Cookies(home)[0].Value
	socket := s.socket("/api/ws", "Authorization: Bearer "+token)
	hello := nextFrame[*wire.Hello](socket)
	socket.drop()
	waittest.Eventually(t, func() bool {
		return strings.Contains(lines.String(), "reader left")
	}, 20*time.Second, time.Millisecond)
	require.Contains(t, lines.String(), fmt.Sprintf(`"connection":%q`, hello.Connection))
	for line := range strings.Lines(lines.String()) {
		require.True(t, json.Valid([]byte(line)))
	}
	all := said.String() + lines.String()
	for _, secret := range []string{token, cookie, "hunter2", password} {
		require.NotContains(t, all, secret)
	}
}
