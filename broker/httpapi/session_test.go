package httpapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// withIssuer returns a change of the configuration that accepts the tokens of an
// identity provider, also in the cookie id, and a function that signs such tokens. The
// broker does not know the provider's keys unless keyed is true.
func withIssuer(t *testing.T, keyed bool) (change func(dir string, c *Config), sign func(jwt.MapClaims) string) {
	return withIssuerOf(t, keyed, "")
}

// withIssuerOf is like withIssuer for a cookie of a domain.
func withIssuerOf(t *testing.T, keyed bool, domain string) (func(dir string, c *Config), func(jwt.MapClaims) string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	jwk, err := jwkset.NewJWKFromKey(private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k"}})
	require.NoError(t, err)
	keys, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
	require.NoError(t, err)
	config := identity.IssuerConfig{
		Issuer:       "https://id.example",
		Audience:     "yardline",
		JWKSURL:      "https://id.example/keys",
		Cookie:       "id",
		CookieDomain: domain,
	}
	issuer := identity.NewIssuer(config.WithDefaults(slog.New(slog.DiscardHandler)))
	if keyed {
		require.NoError(t, issuer.SetKeys(keys))
	}
	change := func(_ string, c *Config) {
		c.Authority.Issuer, c.Authority.Directory, c.LoopbackOnly = issuer, nil, false
	}
	return change, func(more jwt.MapClaims) string {
		claims := jwt.MapClaims{
			"iss":   "https://id.example",
			"aud":   "yardline",
			"sub":   "ann",
			"roles": "manager",
			"exp":   time.Now().Add(time.Hour).Unix(),
		}
		for name, value := range more {
			claims[name] = value
		}
		token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		token.Header["kid"] = "k"
		signed, err := token.SignedString(private)
		require.NoError(t, err)
		return signed
	}
}

// session returns the answer of GET /api/session.
func (s *testBroker) session(headers ...string) (answer session) {
	s.Helper()
	response, text := s.send("GET", "/api/session", "", headers...)
	require.Equal(s, 200, response.StatusCode, text)
	require.NoError(s, json.Unmarshal([]byte(text), &answer))
	return answer
}

// A browser sends the Basic credentials of a proxy to the broker, too. The broker must
// use the session's cookie, for every kind of request.
func TestBasicCredentialsOfAProxyAreIgnored(t *testing.T) {
	s := newTestBroker(t)
	const basic = "Authorization: Basic c3RhZmY6Z2F0ZXBhc3M="
	answer, text := s.send("POST", "/api/session", `{"user":"manager"}`, basic)
	require.Equal(t, 200, answer.StatusCode, text)
	require.NotNil(t, s.session(basic).User)
	for _, path := range []string{"/api/snapshot", "/api/events", "/api/push/preferences"} {
		answer, text = s.send("GET", path, "", basic)
		require.Equal(t, 200, answer.StatusCode, text)
	}
	hello := nextFrame[*wire.Hello](s.socket("/api/ws", basic))
	require.Equal(t, s.session().Grant, hello.Grant)
	answer, _ = s.send("DELETE", "/api/session", "", basic)
	require.Equal(t, 204, answer.StatusCode)
	require.Nil(t, s.session(basic).User)
}

// A browser would drop the cookie of a sign-in over plain HTTP, so the broker refuses
// it, and warns before a password is sent. Sign-ins through a proxy that ends TLS work,
// even if the proxy sends no header about it.
func TestSignInOverPlainHTTPIsRefusedBeforeThePassword(t *testing.T) {
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), withUsers(t))
	send := func(method, host string, headers ...string) (*http.Response, session) {
		r := httptest.NewRequest(method, "http://"+host+"/api/session", nil)
		if method == "POST" {
			r = httptest.NewRequest(method, "http://"+host+"/api/session",
				strings.NewReader(`{"user":"ann","password":"`+password+`"}`))
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r)
		var answer session
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		return w.Result(), answer
	}
	const lan = "yard.lan.test:20009"
	response, _ := send("POST", lan, "Origin", "http://"+lan)
	require.Equal(t, 403, response.StatusCode)
	require.Empty(t, response.Cookies())
	_, answer := send("GET", lan, "Referer", "http://"+lan+"/dashboard")
	require.Equal(t, "needs_tls", answer.Warning.Code)
	for name, c := range map[string][]string{
		"a proxy that ends TLS": {lan, "Origin", "https://" + lan},
		"no browser":            {lan},
		"an opaque origin":      {lan, "Origin", "null"},
		"this machine":          {"localhost:8080", "Origin", "http://localhost:8080"},
	} {
		response, answer := send("POST", c[0], c[1:]...)
		if name == "an opaque origin" {
			require.Equal(t, 403, response.StatusCode, "another site")
			continue
		}
		require.Equal(t, 200, response.StatusCode, name)
		require.Nil(t, answer.Warning)
		require.Len(t, response.Cookies(), 1)
		require.Equal(t, name != "this machine", response.Cookies()[0].Secure, name)
		_, answer = send("GET", c[0], c[1:]...)
		require.Nil(t, answer.Warning, name)
	}
	_, answer = send("GET", lan, "Referer", "https://other.example/")
	require.Nil(t, answer.Warning)
}

// The session tells why the broker has refused a provider's cookie.
func TestSessionExplainsARefusedCookie(t *testing.T) {
	change, sign := withIssuer(t, true)
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	require.Nil(t, s.session().Warning, "a request without a cookie needs no reason")
	for _, c := range []struct {
		claims       jwt.MapClaims
		code, detail string
	}{
		{jwt.MapClaims{"exp": 1}, "expired", "Sign in again"},
		{jwt.MapClaims{"aud": "other"}, "invalid_token", "another audience"},
		{jwt.MapClaims{"sub": strings.Repeat("a", 300)}, "invalid_token", "300 bytes"},
	} {
		cookie := "Cookie: id=" + sign(c.claims)
		answer := s.session(cookie)
		require.Nil(t, answer.User)
		require.Equal(t, c.code, answer.Warning.Code)
		require.Contains(t, answer.Warning.Detail, c.detail)
		_, text := s.send("GET", "/api/snapshot", "", cookie)
		require.Contains(t, text, `"code":"`+c.code+`"`)
		require.Contains(t, text, c.detail)
	}
	long := "CN=" + strings.Repeat("John Smith ", 22)
	require.Equal(t, long, s.session("Cookie: id="+sign(jwt.MapClaims{"sub": long})).User.ID)
}

// A broker that does not know the provider's keys yet answers 503, and signs no user out.
// The installation's own tokens work.
func TestMissingIssuerKeysSignNobodyOut(t *testing.T) {
	change, sign := withIssuer(t, false)
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	for _, path := range []string{"/api/session", "/api/snapshot", "/api/sse"} {
		for _, header := range []string{"Cookie: id=", "Authorization: Bearer "} {
			answer, text := s.send("GET", path, "", header+sign(nil))
			require.Equal(t, 503, answer.StatusCode, text)
			require.Contains(t, text, `"code":"starting"`)
			require.NotEmpty(t, answer.Header.Get("Retry-After"))
		}
	}
	answer, _ := s.send("GET", "/api/snapshot", "", s.bearer(access.Manager))
	require.Equal(t, 200, answer.StatusCode)
}

// The broker tells the user when the browser has kept the cookie after a sign-out, and
// when the request is signed in by a token.
func TestSignOutReportsTheSignInsItCannotEnd(t *testing.T) {
	change, sign := withIssuer(t, true)
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	cookie := "Cookie: id=" + sign(nil)
	stream := s.openStream(cookie)
	answer, _ := s.send("DELETE", "/api/session", "", cookie)
	require.Equal(t, 204, answer.StatusCode)
	require.Contains(t, <-stream, `"reason":"signed_out"`)
	mark := ""
	for _, c := range answer.Cookies() {
		if c.MaxAge > 0 {
			mark = "; " + c.Name + "=" + c.Value
		}
	}
	s.client.Jar = nil
	still := s.session(cookie + mark) // the browser has kept the cookie, because it is one of a domain
	require.Equal(t, "ann", still.User.ID)
	require.Equal(t, "still_signed_in", still.Warning.Code)
	require.Contains(t, still.Warning.Detail, "--jwt-cookie-domain")
	require.Nil(t, s.session(cookie).Warning, "without a sign-out before it there is nothing to say")
	require.Nil(t, s.session("Cookie: id="+sign(nil)+mark).Warning, "signed in again, by another token")

	answer, text := s.send("DELETE", "/api/session", "", s.bearer(access.Manager))
	require.Equal(t, 409, answer.StatusCode)
	require.Contains(t, text, `"code":"still_signed_in"`)
	answer, _ = s.send("DELETE", "/api/session", "", "Authorization: Bearer wrong")
	require.Equal(t, 204, answer.StatusCode, "nobody is signed in by it")
}

// A stream whose token has expired ends with the reason "expired". The client resumes at
// its cursor by a cookie that came in the meantime.
func TestExpiredStreamResumesWithARenewedCookie(t *testing.T) {
	change, sign := withIssuer(t, true)
	s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
	old := "Cookie: id=" + sign(nil)
	stream, socket := s.openStream(old), s.socket("/api/ws", old)
	nextFrame[*wire.Hello](socket)
	s.api.CloseExpired(time.Now().Add(2 * time.Hour))
	text := <-stream
	require.Contains(t, text, `"reason":"expired"`)
	require.Equal(t, wire.ByeExpired, nextFrame[*wire.Bye](socket).Reason)
	// The client does not lose an event that is published in between.
	answer, published := s.send("POST", "/api/sse",
		`{"id":"between","type":"system_notification","data":{"title":"Hi","message":"There"}}`,
		s.bearer(access.Service), isJSON)
	require.Equal(t, 201, answer.StatusCode, published)
	_, page := s.send("GET", "/api/events?after=k-0", "", "Cookie: id="+sign(jwt.MapClaims{"jti": "renewed"}))
	require.Contains(t, page, `"id":"between"`)
}

// The store may drop a session a moment before it expires. The reason must be "expired"
// then, because a browser deletes its data at a sign-out.
func TestExpiredSessionIsNotASignOut(t *testing.T) {
	for _, c := range []struct {
		left   time.Duration
		reason wire.Reason
	}{{refreshInterval / 2, wire.ByeExpired}, {time.Hour, wire.ByeSignedOut}} {
		gone := false
		p := identity.Principal{Expires: time.Now().Add(c.left)}
		w := newGrantWatcher(func(context.Context, identity.Credential) (identity.Principal, error) {
			if gone {
				return identity.Principal{}, identity.ErrNotSignedIn
			}
			return p, nil
		})
		var got grantRecorder
		require.NoError(t, w.add(t.Context(), &watchedConnection{holder: &got}, p, identity.TokenCredential("a")))
		gone = true
		require.True(t, w.recheck(t.Context()))
		require.Equal(t, grantRecorder{c.reason}, got)
	}
}

// A cookie jar that follows RFC 6265, as browsers do, has a cookie for a whole domain.
// The sign-out must delete it if the broker knows the domain, and must say so otherwise.
func TestSignOutDeletesCookiesOfADomain(t *testing.T) {
	for _, domain := range []string{"", "company.test", ".company.test"} {
		change, sign := withIssuerOf(t, true, domain)
		s := newTestBrokerWith(t, memlog.New("k", time.Hour), change)
		server := strings.TrimPrefix(s.url, "http://")
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}
		s.client.Transport = &http.Transport{DialContext: dial}
		s.url = "http://yard.company.test"
		portal, err := url.Parse("http://portal.company.test")
		require.NoError(t, err)
		cookie := http.Cookie{Name: "id", Value: sign(nil), Domain: "company.test", Path: "/", HttpOnly: true}
		s.client.Jar.SetCookies(portal, []*http.Cookie{&cookie})
		require.Equal(t, "ann", s.session().User.ID)
		answer, _ := s.send("DELETE", "/api/session", "")
		require.Equal(t, 204, answer.StatusCode)
		after := s.session()
		if domain != "" {
			require.Nil(t, after.User, domain)
			require.Nil(t, after.Warning)
			continue
		}
		require.Equal(t, "ann", after.User.ID)
		require.Equal(t, "still_signed_in", after.Warning.Code)
		require.Nil(t, s.session().Warning, "it is said once")
	}
}
