package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/syncbuffer"
)

// provider is an identity provider on loopback. A test chooses its keys and the answer of
// its JWKS address.
type provider struct {
	testing.TB
	url     string
	keys    map[string]crypto.Signer
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int64
	logged  syncbuffer.Buffer
}

func newProvider(t testing.TB) *provider {
	p := &provider{TB: t, keys: map[string]crypto.Signer{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	p.answerWith("{}")
	return p
}

// handleWith sets the handler of the JWKS address.
func (p *provider) handleWith(handler http.HandlerFunc) { p.answer.Store(&handler) }

// answerWith makes the JWKS address answer with a body.
func (p *provider) answerWith(body string) {
	p.handleWith(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
}

// key returns a key of the provider, and makes it when there is none.
func (p *provider) key(kid string, bits int) crypto.Signer {
	p.Helper()
	if p.keys[kid] == nil {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(p, err)
		p.keys[kid] = key
	}
	return p.keys[kid]
}

// jwk returns a key in the format of a JWKS. fields replaces its fields; nil removes one.
func (p *provider) jwk(kid string, fields map[string]any) map[string]any {
	p.Helper()
	jwk, err := jwkset.NewJWKFromKey(p.key(kid, 2048).Public(),
		jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, USE: jwkset.UseSig}})
	require.NoError(p, err)
	raw, err := json.Marshal(jwk.Marshal())
	require.NoError(p, err)
	var document map[string]any
	require.NoError(p, json.Unmarshal(raw, &document))
	maps.Copy(document, fields)
	maps.DeleteFunc(document, func(_ string, v any) bool { return v == nil })
	return document
}

// keySet returns a JWKS with these keys.
func (p *provider) keySet(keys ...any) string {
	p.Helper()
	raw, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(p, err)
	return string(raw)
}

// publish makes the JWKS address answer exactly these keys, and makes those that are new.
func (p *provider) publish(kids ...string) {
	p.Helper()
	var keys []any
	for _, kid := range kids {
		keys = append(keys, p.jwk(kid, nil))
	}
	p.answerWith(p.keySet(keys...))
}

// claims returns the usual claims of a token. change replaces claims; nil removes one.
func (p *provider) claims(change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"iss": "https://id.example", "aud": []string{"yardline", "other"}, "sub": "auth|7",
		"name": "Ann", "exp": time.Now().Add(time.Hour).Unix(),
		"iat": time.Now().Unix(), "realm_access": map[string]any{"roles": []string{"manager", "offline_access"}},
		"employee_id": 9007199254740993}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign returns a signed token. A nil kid leaves the header kid out.
func (p *provider) sign(kid any, method jwt.SigningMethod, key any, change jwt.MapClaims) string {
	p.Helper()
	token := jwt.NewWithClaims(method, p.claims(change))
	if kid != nil {
		token.Header["kid"] = kid
	}
	signed, err := token.SignedString(key)
	require.NoError(p, err)
	return signed
}

// signUsual returns a token with the signature of a provider's key.
func (p *provider) signUsual(kid string, change jwt.MapClaims) string {
	p.Helper()
	return p.sign(kid, jwt.SigningMethodRS256, p.keys[kid], change)
}

func (p *provider) config(c IssuerConfig) IssuerConfig {
	p.Helper()
	c.Issuer, c.Audience, c.JWKSURL = "https://id.example", "yardline", p.url
	if c.RolesClaim == "" {
		c.RolesClaim = "realm_access.roles"
	}
	c = c.WithDefaults(slog.New(slog.NewTextHandler(&p.logged, nil)))
	require.NoError(p, c.Check())
	return c
}

func (p *provider) openIssuer(c IssuerConfig) *Issuer {
	p.Helper()
	i := OpenIssuer(p.config(c))
	p.Cleanup(i.Close)
	return i
}
