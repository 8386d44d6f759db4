package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

// tokenKey is the secret that signs tokens.
const tokenKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// config reads a configuration from variables. It has a token key unless vars has one.
func config(t *testing.T, vars map[string]string) Config {
	t.Helper()
	c, err := ReadConfig(func(name string) string {
		if name == "TOKEN_KEY" && vars[name] == "" {
			return tokenKey
		}
		return vars[name]
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return c
}

func TestReadConfigNamesTheFaultyVariable(t *testing.T) {
	for name, value := range map[string]string{
		"TOKEN_KEY":    "short",
		"AUTH":         "nobody",
		"HEARTBEAT":    "-1s",
		"RETENTION":    "long",
		"FLEET":        "-2",
		"STRICT":       "yes",
		"CURRENCY":     "EURO",
		"TIME_ZONE":    "Nowhere/Land",
		"ALLOW_ORIGIN": "rental.example/path",
		"DEDUP_WINDOW": "0s",
	} {
		_, err := ReadConfig(func(variable string) string {
			return map[string]string{"TOKEN_KEY": tokenKey, name: value}[variable]
		}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, name)
	}
	_, err := ReadConfig(func(name string) string {
		return map[string]string{"TOKEN_KEY": tokenKey, "AUTH": "jwt"}[name]
	}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "JWT_ISSUER")
}

// send sends a request to a front. For a request that the front accepts it returns the client and
// the tenant. The tenant is "" if the front answers the request itself.
func send(
	t *testing.T,
	front http.Handler,
	r *http.Request,
) (client identity.Principal, tenant string, answer *httptest.ResponseRecorder) {
	t.Helper()
	answer = httptest.NewRecorder()
	front.ServeHTTP(answer, r)
	if pass := answer.Header().Get(passHeader); pass != "" && pass != "-" {
		var err error
		client, err = identity.ParseForwardedIdentity(http.Header{identity.ForwardedIdentityHeader: {pass}})
		require.NoError(t, err)
	}
	return client, answer.Header().Get(tenantHeader), answer
}

// The tenant must come from the token only. A gate has no tenants, so it must refuse the token of
// one.
func TestTokenAloneSelectsTheTenant(t *testing.T) {
	edge, gate := config(t, nil), config(t, map[string]string{"ORIGIN": "https://broker.example/"})
	require.Equal(t, "https://broker.example", gate.Origin)
	g, err := access.NewGrant("4", "Łukasz", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	acme, err := g.InTenant("acme")
	require.NoError(t, err)
	for _, c := range []struct {
		c      Config
		g      access.Grant
		tenant string // "": refused
	}{
		{edge, acme, "acme"},
		{edge, g, ""},
		{gate, g, "main"},
		{gate, acme, ""},
	} {
		token, err := c.c.Tokens.Create(c.g, time.Hour)
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/api/snapshot", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set(tenantHeader, "other")
		client, tenant, answer := send(t, newFront(c.c, &keyring{}), r)
		require.Equal(t, c.tenant, tenant)
		if c.tenant == "" {
			require.Equal(t, http.StatusUnauthorized, answer.Code)
			continue
		}
		require.Equal(t, c.g.ID(), client.Grant.ID())
		require.Equal(t, "Łukasz", client.Grant.Name)
		require.Regexp(t, `^[!-~]+$`, answer.Header().Get(passHeader))
	}
}

func TestIdentityProvidersTokensAreAcceptedOnceItsKeysAreKnown(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	metadata := jwkset.JWKMetadataOptions{KID: "k1", USE: jwkset.UseSig}
	jwk, err := jwkset.NewJWKFromKey(private.Public(), jwkset.JWKOptions{Metadata: metadata})
	require.NoError(t, err)
	keys, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
	require.NoError(t, err)
	c := config(t, map[string]string{
		"AUTH":         "jwt",
		"JWT_ISSUER":   "https://id.example",
		"JWT_AUDIENCE": "yardline",
		"JWT_JWKS":     "https://id.example/keys",
		"JWT_COOKIE":   "id",
	})
	front := newFront(c, &keyring{})
	request := func(claims jwt.MapClaims) *http.Request {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		token.Header["kid"] = "k1"
		signed, err := token.SignedString(private)
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/api/sse", nil)
		r.AddCookie(&http.Cookie{Name: "id", Value: signed})
		return r
	}
	claims := jwt.MapClaims{
		"iss":    "https://id.example",
		"aud":    "yardline",
		"sub":    "7",
		"exp":    time.Now().Add(time.Hour).Unix(),
		"roles":  []string{"yard"},
		"tenant": "acme",
	}
	_, _, answer := send(t, front, request(claims))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code, "no keys yet")
	require.Error(t, c.Issuer.SetKeys([]byte("no keys")))
	require.NoError(t, c.Issuer.SetKeys(keys))
	client, tenant, _ := send(t, front, request(claims))
	require.Equal(t, "acme", tenant)
	require.Equal(t, []access.Role{access.Yard}, client.Grant.Roles)
	for name, value := range map[string]any{
		"tenant": "../other",
		"aud":    "else",
		"exp":    time.Now().Add(-time.Hour).Unix(),
	} {
		other := jwt.MapClaims{}
		for k, v := range claims {
			other[k] = v
		}
		other[name] = value
		_, tenant, answer := send(t, front, request(other))
		require.Empty(t, tenant, name)
		require.Equal(t, http.StatusUnauthorized, answer.Code, name)
	}
	delete(claims, "tenant")
	_, tenant, _ = send(t, front, request(claims))
	require.Empty(t, tenant, "a token without a tenant")
}

// Demo users sign in only under a name of this machine. Their cookie must not work as a bearer
// token.
func TestDemoUsersSignInOnThisMachineOnly(t *testing.T) {
	front := newFront(config(t, map[string]string{"AUTH": "dev"}), &keyring{})
	signIn := func(host string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/api/session", strings.NewReader(`{"user":"yard"}`))
		r.Host = host
		_, _, answer := send(t, front, r)
		return answer
	}
	require.Equal(t, http.StatusMisdirectedRequest, signIn("yardline.example").Code)
	answer := signIn("localhost:8080")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), `"tenant":"main"`)
	cookie := answer.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly)
	r := httptest.NewRequest("GET", "http://localhost:8080/api/events", nil)
	r.AddCookie(cookie)
	client, tenant, _ := send(t, front, r)
	require.Equal(t, "main", tenant)
	require.Equal(t, "yard", client.Grant.Name)
	r = httptest.NewRequest("GET", "http://localhost:8080/api/events", nil)
	r.Header.Set("Authorization", "Bearer "+cookie.Value)
	_, tenant, _ = send(t, front, r)
	require.Empty(t, tenant)
	r = httptest.NewRequest("DELETE", "http://localhost:8080/api/session", nil)
	r.AddCookie(cookie)
	client, _, answer = send(t, front, r)
	require.NotEmpty(t, client.Credential, "the object needs it to close open connections")
	require.Negative(t, answer.Result().Cookies()[0].MaxAge)
}
