package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

// provider is an identity provider with its keys.
type provider struct {
	*testing.T
	url  string
	keys map[string]crypto.Signer
	jwks atomic.Value // []byte
}

func newProvider(t *testing.T) *provider {
	p := &provider{T: t, keys: map[string]crypto.Signer{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(p.jwks.Load().([]byte)) }))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// publish makes these the keys: new ones get made, others are taken away.
func (p *provider) publish(kids ...string) {
	p.Helper()
	var set jwkset.JWKSMarshal
	for _, kid := range kids {
		if p.keys[kid] == nil {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			require.NoError(p, err)
			p.keys[kid] = key
		}
		jwk, err := jwkset.NewJWKFromKey(p.keys[kid].Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, USE: jwkset.UseSig}})
		require.NoError(p, err)
		set.Keys = append(set.Keys, jwk.Marshal())
	}
	raw, err := json.Marshal(set)
	require.NoError(p, err)
	p.jwks.Store(raw)
}

func (p *provider) sign(kid string, method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	p.Helper()
	claims := jwt.MapClaims{"iss": "https://id.example", "aud": []string{"yardline", "other"}, "sub": "auth|7", "name": "Ann", "exp": time.Now().Add(time.Hour).Unix(),
		"iat": time.Now().Unix(), "realm_access": map[string]any{"roles": []string{"manager", "offline_access"}}, "employee_id": 9007199254740993}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	require.NoError(p, err)
	return signed
}

func (p *provider) open(c IssuerConfig) *Issuer {
	p.Helper()
	c.Issuer, c.Audience, c.JWKS = "https://id.example", "yardline", p.url
	c.RolesClaim = "realm_access.roles"
	c = c.WithDefaults(slog.New(slog.DiscardHandler))
	require.NoError(p, c.Check())
	i, err := OpenIssuer(c)
	require.NoError(p, err)
	p.Cleanup(i.Close)
	return i
}

func TestIssuer(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.open(IssuerConfig{})
	rs, key := jwt.SigningMethodRS256, p.keys["a"]
	principal, err := i.Verify(p.sign("a", rs, key, nil))
	require.NoError(t, err)
	require.Equal(t, access.Grant{User: "auth|7", Name: "Ann", Roles: []access.Role{access.Manager}, Employee: 9007199254740993}, principal.Grant)
	require.WithinDuration(t, time.Now().Add(time.Hour+time.Minute), principal.Expires, 10*time.Second)

	for name, c := range map[string]jwt.MapClaims{
		"another issuer": {"iss": "https://evil.example"}, "another audience": {"aud": "other"}, "no audience": {"aud": nil}, "no expiry": {"exp": nil},
		"from the future": {"iat": time.Now().Add(time.Hour).Unix()}, "not yet": {"nbf": time.Now().Add(time.Hour).Unix()}, "nobody": {"sub": ""},
	} {
		_, err := i.Verify(p.sign("a", rs, key, c))
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err = i.Verify(p.sign("a", rs, key, jwt.MapClaims{"exp": time.Now().Add(-2 * time.Minute).Unix()}))
	require.ErrorIs(t, err, ErrExpired)
	_, err = i.Verify(p.sign("a", rs, key, jwt.MapClaims{"exp": time.Now().Add(-30 * time.Second).Unix(), "nbf": time.Now().Add(30 * time.Second).Unix()}))
	require.NoError(t, err, "within the skew of the clocks")

	// The public key is no secret to sign with, and none is no signature.
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

	// What must be understood and is not, and keys that are too small.
	critical := jwt.NewWithClaims(rs, jwt.MapClaims{"iss": "https://id.example", "aud": "yardline", "sub": "7", "exp": time.Now().Add(time.Hour).Unix()})
	critical.Header["kid"], critical.Header["crit"] = "a", []string{"b64"}
	signed, err := critical.SignedString(key)
	require.NoError(t, err)
	_, err = i.Verify(signed)
	require.ErrorIs(t, err, ErrInvalid)
	small := newProvider(t)
	small.keys["s"], err = rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	small.publish("s")
	_, err = small.open(IssuerConfig{}).Verify(small.sign("s", rs, small.keys["s"], nil))
	require.ErrorContains(t, err, "1024 bits")

	for _, c := range []struct {
		claim any
		want  []access.Role
	}{
		{"hr, yard", []access.Role{access.HR, access.Yard}}, {"hr yard nothing", []access.Role{access.HR, access.Yard}}, {7, nil}, {nil, nil},
		{[]any{"admin", 7, "root"}, []access.Role{access.Admin}},
	} {
		require.Equal(t, c.want, rolesOf(jwt.MapClaims{"a": map[string]any{"b": c.claim}}, "a.b"))
	}
	for claim, want := range map[any]int64{json.Number("9007199254740993"): 9007199254740993, "5": 5, json.Number("1.5"): 0, json.Number("-3"): 0, "x": 0, true: 0, "99999999999999999999": 0} {
		require.Equal(t, want, employeeOf(claim))
	}
}

// TestKeysRotate: a new key is taken before the next refresh, and what was
// signed under one that is taken away is worth nothing after it.
func TestKeysRotate(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.open(IssuerConfig{Refresh: 50 * time.Millisecond})
	old := p.sign("a", jwt.SigningMethodRS256, p.keys["a"], nil)
	_, err := i.Verify(old)
	require.NoError(t, err)
	require.False(t, i.refresh())
	p.publish("a", "b")
	_, err = i.Verify(p.sign("b", jwt.SigningMethodRS256, p.keys["b"], nil))
	require.NoError(t, err, "an unknown key is asked for")
	p.publish("b")
	require.Eventually(t, func() bool { _, err := i.Verify(old); return err != nil }, 20*time.Second, time.Millisecond)
	require.True(t, i.refresh())
	_, err = i.Verify(p.sign("b", jwt.SigningMethodRS256, p.keys["b"], nil))
	require.NoError(t, err)
}

// TestIssuerOfARequest: by bearer or cookie, beside the tokens of our own.
func TestIssuerOfARequest(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.open(IssuerConfig{Cookie: "id"})}
	signed := p.sign("a", jwt.SigningMethodRS256, p.keys["a"], nil)
	own, err := tokens.Mint(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
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
	require.ErrorIs(t, err, ErrNone)
	r.AddCookie(&http.Cookie{Name: "id", Value: signed})
	principal, err := a.Authenticate(r)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	ended, err := a.SignOut(w, r)
	require.NoError(t, err)
	require.Equal(t, principal.Credential, ended)
	require.Negative(t, w.Result().Cookies()[0].MaxAge)
	_, _, err = a.SignIn(w, r, "ann", "x")
	require.ErrorIs(t, err, ErrNoSignIn)
}

func TestIssuerConfig(t *testing.T) {
	good := IssuerConfig{Issuer: "i", Audience: "a", JWKS: "https://id.example/keys"}
	require.NoError(t, good.Check())
	for _, jwks := range []string{"", "keys", "http://id.example/keys", "ftp://localhost/x"} {
		c := good
		c.JWKS = jwks
		require.Error(t, c.Check(), jwks)
	}
	c := good.WithDefaults(slog.New(slog.DiscardHandler))
	c.JWKS = "http://127.0.0.1:1/keys"
	_, err := OpenIssuer(c)
	require.ErrorContains(t, err, "cannot fetch")
}
