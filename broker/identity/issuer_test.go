package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestIssuerRefusesWrongClaimsAndSignatures(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{})
	rs, key := jwt.SigningMethodRS256, p.keys["a"]
	principal, err := i.Verify(p.sign("a", rs, key, nil))
	require.NoError(t, err)
	want := access.Grant{User: "auth|7", Name: "Ann", Roles: []access.Role{access.Manager}, Employee: 9007199254740993}
	require.Equal(t, want, principal.Grant)
	require.WithinDuration(t, time.Now().Add(time.Hour+time.Minute), principal.Expires, 10*time.Second)

	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]jwt.MapClaims{
		"another issuer":   {"iss": "https://evil.example"},
		"another audience": {"aud": "other"},
		"no audience":      {"aud": nil},
		"no expiry":        {"exp": nil},
		"from the future":  {"iat": in(time.Hour)},
		"not yet":          {"nbf": in(time.Hour)},
		"nobody":           {"sub": ""},
	} {
		_, err := i.Verify(p.sign("a", rs, key, c))
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err = i.Verify(p.sign("a", rs, key, jwt.MapClaims{"exp": in(-2 * time.Minute)}))
	require.ErrorIs(t, err, ErrExpired)
	withinSkew := jwt.MapClaims{"exp": in(-30 * time.Second), "nbf": in(30 * time.Second)}
	_, err = i.Verify(p.sign("a", rs, key, withinSkew))
	require.NoError(t, err, "within the skew of the clocks")

	// Nobody can sign with the public key as a secret, or with the method none.
	public, err := json.Marshal(key.Public())
	require.NoError(t, err)
	_, err = i.Verify(p.sign("a", jwt.SigningMethodHS256, public, nil))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = i.Verify(p.sign("a", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil))
	require.ErrorIs(t, err, ErrInvalid)
	forged, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = i.Verify(p.sign("a", jwt.SigningMethodES256, forged, nil))
	require.ErrorIs(t, err, ErrInvalid)

	// A token with an unknown critical extension is refused.
	critical := jwt.NewWithClaims(rs, jwt.MapClaims{
		"iss": "https://id.example", "aud": "yardline", "sub": "7", "exp": in(time.Hour),
	})
	critical.Header["kid"], critical.Header["crit"] = "a", []string{"b64"}
	signed, err := critical.SignedString(key)
	require.NoError(t, err)
	_, err = i.Verify(signed)
	require.ErrorIs(t, err, ErrInvalid)
}

// TestIssuerFollowsRotatingKeys checks that a new key is accepted before the next
// refresh, and that tokens of a removed key are refused after it.
func TestIssuerFollowsRotatingKeys(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{Refresh: 50 * time.Millisecond})
	old := p.sign("a", jwt.SigningMethodRS256, p.keys["a"], nil)
	_, err := i.Verify(old)
	require.NoError(t, err)
	require.False(t, i.refresh())
	p.publish("a", "b")
	_, err = i.Verify(p.sign("b", jwt.SigningMethodRS256, p.keys["b"], nil))
	require.NoError(t, err, "an unknown key is asked for")
	p.publish("b")
	waittest.Eventually(t, func() bool {
		_, err := i.Verify(old)
		return err != nil
	}, 20*time.Second, time.Millisecond)
	require.True(t, i.refresh())
	_, err = i.Verify(p.sign("b", jwt.SigningMethodRS256, p.keys["b"], nil))
	require.NoError(t, err)
}

// TestIssuerTokenIsReadFromBearerOrCookie also checks that the installation's own
// tokens stay valid.
func TestIssuerTokenIsReadFromBearerOrCookie(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{Cookie: "id"})}
	signed := p.sign("a", jwt.SigningMethodRS256, p.keys["a"], nil)
	own, err := tokens.Create(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
	require.NoError(t, err)
	for header, want := range map[string]string{"Bearer " + signed: "auth|7", "Bearer " + own: "erp"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		principal, err := a.Authenticate(r)
		require.NoError(t, err)
		require.Equal(t, want, principal.Grant.User)
	}
	r := httptest.NewRequest("GET", "/", nil)
	_, err = a.Authenticate(r)
	require.ErrorIs(t, err, ErrNotSignedIn)
	r.AddCookie(&http.Cookie{Name: "id", Value: signed})
	principal, err := a.Authenticate(r)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	ended, err := a.SignOut(w, r)
	require.NoError(t, err)
	require.Equal(t, []string{principal.Credential}, ended)
	require.Negative(t, w.Result().Cookies()[0].MaxAge)
	_, _, err = a.SignIn(w, r, "ann", "x")
	require.ErrorIs(t, err, ErrNoSignIn)
}

func TestInvalidIssuerConfigIsRefused(t *testing.T) {
	good := IssuerConfig{Issuer: "i", Audience: "a", JWKSURL: "https://id.example/keys"}
	require.NoError(t, good.Check())
	for _, jwks := range []string{"", "keys", "http://id.example/keys", "ftp://localhost/x"} {
		c := good
		c.JWKSURL = jwks
		require.Error(t, c.Check(), jwks)
	}
	for _, c := range []struct{ cookie, domain, fault string }{
		{"id", "company.example", ""}, {"id", ".company.example", ""}, {"", "company.example", "needs the name"},
		{"id", "company example", "no cookie"},
		{"__Host-id", "company.example", "has no domain"}, {"a b", "", "no cookie"},
	} {
		with := good
		with.Cookie, with.CookieDomain = c.cookie, c.domain
		if c.fault == "" {
			require.NoError(t, with.Check())
			continue
		}
		require.ErrorContains(t, with.Check(), c.fault)
	}
}
