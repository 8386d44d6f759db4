package identity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
)

func secure(*http.Request) bool { return true }

// requestWith returns a request with cookies. The arguments are names and values in turn.
func requestWith(cookies ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(cookies); i += 2 {
		r.AddCookie(&http.Cookie{Name: cookies[i], Value: cookies[i+1]})
	}
	return r
}

// TestOtherAuthorizationSchemesAreIgnored checks that other schemes, which belong to a
// proxy in front, leave the cookie in force, and that a bearer token decides alone.
func TestOtherAuthorizationSchemesAreIgnored(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{Cookie: "id"})}
	bearer, err := tokens.Create(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
	require.NoError(t, err)
	for _, c := range []struct {
		headers []string
		user    string // the expected user; empty when the request is refused
	}{
		{[]string{"Basic c3RhZmY6Z2F0ZXBhc3M="}, "auth|7"}, {[]string{"Negotiate abc"}, "auth|7"},
		{[]string{`Digest username="a, Bearer", realm="b"`}, "auth|7"},
		{[]string{""}, "auth|7"}, {[]string{"Bearer"}, "auth|7"}, {[]string{"Bearer "}, "auth|7"},
		{[]string{"bearer  "}, "auth|7"}, {[]string{"BearerX " + bearer}, "auth|7"},
		{[]string{"Basic x", "Bearer " + bearer}, "erp"}, {[]string{"Bearer " + bearer, "Basic x"}, "erp"},
		{[]string{"Basic x, Bearer " + bearer}, "erp"},
		{[]string{"Basic x,bearer   " + bearer + " "}, "erp"},
		{[]string{"Bearer " + bearer, "Bearer " + bearer}, "erp"}, {[]string{"", "Bearer " + bearer}, "erp"},
		{[]string{"Bearer " + bearer, "Bearer"}, "erp"}, {[]string{"Bearer wrong"}, ""},
		{[]string{"Bearer " + bearer, "Bearer other"}, ""}, {[]string{"Bearer other, Bearer " + bearer}, ""},
	} {
		r := requestWith("id", p.signUsual("a", nil))
		r.Header["Authorization"] = c.headers
		principal, err := a.Authenticate(r)
		require.Equal(t, c.user, principal.Grant.User, c.headers)
		require.Equal(t, c.user == "", err != nil, c.headers)
		r.Header.Del("Cookie")
		_, err = a.Authenticate(r)
		switch c.user {
		case "erp":
			require.NoError(t, err, c.headers)
		case "":
			require.ErrorIs(t, err, ErrInvalid, c.headers)
		default:
			require.ErrorIs(t, err, ErrNotSignedIn, c.headers)
		}
	}
}

// TestFirstValidIssuerCookieCounts sends a cookie of the host and one of the domain.
func TestFirstValidIssuerCookieCounts(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{Cookie: "id"})}
	good, old := p.signUsual("a", nil), p.signUsual("a", jwt.MapClaims{"exp": 1})
	for _, r := range []*http.Request{requestWith("id", good, "id", old), requestWith("id", old, "id", good),
		requestWith("id", "", "id", "x", "id", good)} {
		principal, err := a.Authenticate(r)
		require.NoError(t, err)
		require.Equal(t, tokenName(good), principal.Credential)
	}
	_, err = a.Authenticate(requestWith("id", old, "id", "x"))
	require.ErrorIs(t, err, ErrExpired)
	_, err = a.Authenticate(requestWith("id", "x", "id", old))
	require.ErrorIs(t, err, ErrExpired)
	_, err = a.Authenticate(requestWith("id", ""))
	require.ErrorIs(t, err, ErrNotSignedIn)
}

// TestSignOutRemovesTheCookieOfTheDomain also checks that the broker notices a browser
// that keeps the cookie.
func TestSignOutRemovesTheCookieOfTheDomain(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	token := p.signUsual("a", nil)
	for _, domain := range []string{"", "company.example"} {
		a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{Cookie: "id", CookieDomain: domain})}
		w := httptest.NewRecorder()
		ended, err := a.SignOut(w, requestWith("id", token))
		require.NoError(t, err)
		require.Equal(t, []string{tokenName(token)}, ended)
		taken, mark := map[string]bool{}, ""
		for _, c := range w.Result().Cookies() {
			if c.Name == "id" {
				require.Negative(t, c.MaxAge)
				taken[c.Domain] = true
			} else {
				require.Equal(t, signedOutCookie, c.Name)
				mark = c.Value
			}
		}
		require.True(t, taken[""] && taken[domain])
		require.NotContains(t, token, mark)

		w = httptest.NewRecorder()
		require.True(t, a.SignOutFailed(w, requestWith("id", token, signedOutCookie, mark)))
		require.Contains(t, w.Header().Get("Set-Cookie"), "Max-Age=0", "it is said once")
		require.True(t, a.SignOutFailed(w, requestWith("id", token, signedOutCookie, "t-first."+mark)),
			"the second of two")
		require.False(t, a.SignOutFailed(w, requestWith("id", token)))
		otherToken := p.signUsual("a", jwt.MapClaims{"jti": "2"})
		require.False(t, a.SignOutFailed(w, requestWith("id", otherToken, signedOutCookie, mark)),
			"somebody signed in since")
	}
}

// TestRenewedTokenIsTheSameSignIn checks that a sign-out with a later token also ends
// the streams of earlier tokens of the same sign-in, but no others.
func TestRenewedTokenIsTheSameSignIn(t *testing.T) {
	p := newProvider(t)
	p.publish("a", "b")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{Cookie: "id"})}
	credential := func(claims jwt.MapClaims) string {
		principal, err := a.Authenticate(requestWith("id", p.signUsual("a", claims)))
		require.NoError(t, err)
		return principal.Credential
	}
	first := credential(jwt.MapClaims{"sid": "s1", "jti": "1"})
	require.Equal(t, first, credential(jwt.MapClaims{"sid": "s1", "jti": "2"}))
	require.NotEqual(t, first, credential(jwt.MapClaims{"sid": "s2"}))
	require.NotEqual(t, first, credential(jwt.MapClaims{"sid": "s1", "sub": "another"}))
	require.NotEqual(t, credential(jwt.MapClaims{"jti": "1"}), credential(jwt.MapClaims{"jti": "2"}), "without a sid")
	forged := p.sign("a", jwt.SigningMethodRS256, p.keys["b"], jwt.MapClaims{"sid": "s1"})
	for token, same := range map[string]bool{
		p.signUsual("a", jwt.MapClaims{"sid": "s1", "jti": "3"}): true,
		p.signUsual("a", jwt.MapClaims{"sid": "s1", "exp": 1}):   true,
		forged: false, p.signUsual("a", jwt.MapClaims{"sid": "s1", "iss": "https://evil.example"}): false,
	} {
		ended, err := a.SignOut(httptest.NewRecorder(), requestWith("id", token))
		require.NoError(t, err)
		require.Equal(t, same, ended[0] == first)
	}
}

func TestBrokersOfALogShareTheInstallationID(t *testing.T) {
	log := memlog.New("k", 0)
	first, err := InstallationID(t.Context(), log)
	require.NoError(t, err)
	require.Regexp(t, `^[a-z2-7]{8}$`, first)
	again, err := InstallationID(t.Context(), log)
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := InstallationID(t.Context(), memlog.New("k", 0))
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	// Another broker creates the id between the two requests of InstallationID.
	late := &lateStore{Store: memlog.New("k", 0)}
	id, err := InstallationID(t.Context(), late)
	require.NoError(t, err)
	require.Equal(t, "theothers", id)
}

// lateStore is a store in which another broker creates each key first.
type lateStore struct{ eventlog.Store }

func (s *lateStore) Create(ctx context.Context, key string, _ []byte, _ time.Duration) error {
	if err := s.Put(ctx, key, []byte("theothers"), 0); err != nil {
		return err
	}
	return eventlog.ErrExists
}

// signedIn signs a user in, and returns the cookies that the answer sets and removes.
func signedIn(t *testing.T, a *Authority, r *http.Request) (set, removed map[string]string) {
	t.Helper()
	w := httptest.NewRecorder()
	_, _, err := a.SignIn(w, r, "manager", "")
	require.NoError(t, err)
	return cookiesOf(w)
}

func cookiesOf(w *httptest.ResponseRecorder) (set, removed map[string]string) {
	set, removed = map[string]string{}, map[string]string{}
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			removed[c.Name] = c.Value
		} else {
			set[c.Name] = c.Value
		}
	}
	return set, removed
}

// TestInstallationsOnOneHostKeepTheirSessions uses one set of cookies, because a
// browser shares cookies between all ports of a host.
func TestInstallationsOnOneHostKeepTheirSessions(t *testing.T) {
	open := func(kind string) *Authority {
		tokens, err := OpenTokens(t.TempDir())
		require.NoError(t, err)
		if kind == "signed" {
			return &Authority{Tokens: tokens, Directory: DemoDirectory{}, Sessions: SignedSessions{tokens, secure}}
		}
		log := memlog.New("k", 0)
		id, err := InstallationID(t.Context(), log)
		require.NoError(t, err)
		return &Authority{Tokens: tokens, Directory: DemoDirectory{}, Sessions: NewStoredSessions(log, id, secure)}
	}
	for _, kind := range []string{"stored", "signed"} {
		first, second := open(kind), open(kind)
		jar := map[string]string{}
		send := func() (r *http.Request) {
			r = requestWith()
			for name, value := range jar {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			return r
		}
		for _, a := range []*Authority{first, second} {
			set, removed := signedIn(t, a, send())
			require.Len(t, set, 1, kind)
			require.Empty(t, removed, "the other's session stays")
			for name, value := range set {
				require.Regexp(t, `^yardline_session_[a-z0-9]{8}$`, name)
				jar[name] = value
			}
		}
		require.Len(t, jar, 2)
		for _, a := range []*Authority{first, second} {
			_, err := a.Authenticate(send())
			require.NoError(t, err, kind)
		}
		w := httptest.NewRecorder()
		ended, err := first.SignOut(w, send())
		require.NoError(t, err)
		require.Len(t, ended, 1)
		_, removed := cookiesOf(w)
		require.Len(t, removed, 1)
		for name := range removed {
			delete(jar, name)
		}
		_, err = first.Authenticate(send())
		require.ErrorIs(t, err, ErrNotSignedIn)
		_, err = second.Authenticate(send())
		require.NoError(t, err, kind)
	}
}

// TestSessionsUnderTheOldCookieNameStayValid also checks that a cookie of another
// installation is left alone.
func TestSessionsUnderTheOldCookieNameStayValid(t *testing.T) {
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	for kind, sessions := range map[string]Sessions{"stored": NewStoredSessions(memlog.New("k", 0), "testtest", secure),
		"signed": SignedSessions{tokens, secure}} {
		a := &Authority{Tokens: tokens, Directory: DemoDirectory{}, Sessions: sessions}
		set, _ := signedIn(t, a, requestWith())
		for _, value := range set {
			old := requestWith(oldCookieName, value)
			principal, err := a.Authenticate(old)
			require.NoError(t, err, kind)
			require.Equal(t, "manager", principal.Grant.Name)
			_, err = a.Authenticate(requestWith(oldCookieName, "another's", oldCookieName, value))
			require.NoError(t, err, "%s: two cookies of one name", kind)
			w := httptest.NewRecorder()
			ended, err := a.SignOut(w, old)
			require.NoError(t, err)
			require.Equal(t, []string{sessionName(value)}, ended)
			_, removed := cookiesOf(w)
			require.Equal(t, map[string]string{oldCookieName: ""}, removed)
			w = httptest.NewRecorder()
			ended, err = a.SignOut(w, requestWith(oldCookieName, strings.Repeat("x", 43)))
			require.NoError(t, err)
			require.Empty(t, ended)
			require.Empty(t, w.Header())
		}
	}
}
