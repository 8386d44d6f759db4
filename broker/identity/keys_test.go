package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// issuerWithoutKeys returns an issuer. The test sets its keys.
func issuerWithoutKeys(p *provider) *Issuer { return NewIssuer(p.config(IssuerConfig{})) }

// publicJWK returns a key that is not RSA, in the format of a JWKS.
func publicJWK(t *testing.T, key crypto.Signer, kid, alg string) map[string]any {
	t.Helper()
	jwk, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	require.NoError(t, err)
	raw, err := json.Marshal(jwk.Marshal())
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(raw, &document))
	document["alg"] = alg
	return document
}

// TestUnusableKeysDoNotSpoilTheSet checks that the good keys of a set are used, with
// any unusable key beside them.
func TestUnusableKeysDoNotSpoilTheSet(t *testing.T) {
	p := newProvider(t)
	p.key("small", 1024)
	agreement, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, beside := range map[string]any{
		"an unknown kind":                 map[string]any{"kty": "ZZZ", "kid": "z"},
		"an unknown curve":                map[string]any{"kty": "EC", "crv": "P-9", "kid": "z", "x": "AA", "y": "AA"},
		"a later algorithm":               map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "kid": "z", "pub": "AA"},
		"a secret":                        map[string]any{"kty": "oct", "k": "AAAA", "kid": "z"},
		"no object":                       "key",
		"null":                            nil,
		"a number as kid":                 p.jwk("b", map[string]any{"kid": 7}),
		"no modulus":                      map[string]any{"kty": "RSA", "kid": "z", "e": "AQAB"},
		"broken base64":                   p.jwk("b", map[string]any{"n": "???"}),
		"a certificate that does not fit": p.jwk("b", map[string]any{"x5c": []string{"AAAA"}, "x5t": "x"}),
		"encryption":                      p.jwk("b", map[string]any{"use": "enc"}),
		"an own use":                      p.jwk("b", map[string]any{"use": "tls"}),
		"for signing only":                p.jwk("b", map[string]any{"key_ops": []string{"sign"}}),
		"for encryption by alg":           p.jwk("b", map[string]any{"alg": "RSA-OAEP", "use": nil}),
		"small":                           p.jwk("small", nil),
		"for agreement":                   publicJWK(t, agreement, "z", "ECDH-ES"),
	} {
		i := issuerWithoutKeys(p)
		require.NoError(t, i.SetKeys([]byte(p.keySet(beside, p.jwk("a", nil), beside))), name)
		require.NoError(t, i.KeysError(), name)
		_, err := i.Verify(p.signUsual("a", nil))
		require.NoError(t, err, name)
		if name == "a certificate that does not fit" {
			continue // the key itself is good
		}
		// A set with this key alone is refused, and the previous keys stay.
		err = i.SetKeys([]byte(p.keySet(beside)))
		require.ErrorContains(t, err, "no key that can verify", name)
		require.Equal(t, err, i.KeysError(), name)
		_, err = i.Verify(p.signUsual("a", nil))
		require.NoError(t, err, name)
		require.False(t, i.refresh(), name)
	}
	require.Contains(t, p.logged.String(), "1024 bits; at least 2048")
}

// TestKeyVerifiesOnlyItsMethods checks alg, use, kind and size of keys, for tokens with
// a kid and without.
func TestKeyVerifiesOnlyItsMethods(t *testing.T) {
	p := newProvider(t)
	rs, ps := jwt.SigningMethodRS256, jwt.SigningMethodPS256
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	a, small := p.key("a", 2048), p.key("small", 1024)
	for name, c := range map[string]struct {
		set    []any
		method jwt.SigningMethod
		key    any
		good   bool
	}{
		"as usual":               {[]any{p.jwk("a", nil)}, rs, a, true},
		"any method of its kind": {[]any{p.jwk("a", nil)}, ps, a, true},
		"its alg":                {[]any{p.jwk("a", map[string]any{"alg": "PS256"})}, ps, a, true},
		"not its alg":            {[]any{p.jwk("a", map[string]any{"alg": "RS256"})}, ps, a, false},
		"too small":              {[]any{p.jwk("small", nil), p.jwk("other", nil)}, rs, small, false},
		"verify among its key_ops": {[]any{p.jwk("a", map[string]any{"use": nil, "key_ops": []string{"verify"}})},
			rs, a, true},
		"for encryption": {[]any{p.jwk("a", map[string]any{"use": "enc"}), p.jwk("other", nil)}, rs, a,
			false},
		"two of one name, first good": {[]any{p.jwk("a", nil), p.jwk("other", map[string]any{"kid": "a"})}, rs, a,
			true},
		"two of one name, second good": {[]any{p.jwk("other", map[string]any{"kid": "a"}), p.jwk("a", nil)}, rs, a,
			true},
		"the set names no key":        {[]any{p.jwk("a", map[string]any{"kid": nil})}, rs, a, true},
		"nobody's key":                {[]any{p.jwk("other", map[string]any{"kid": "a"})}, rs, a, false},
		"an elliptic curve":           {[]any{publicJWK(t, p256, "a", "ES256")}, jwt.SigningMethodES256, p256, true},
		"a curve for another method":  {[]any{publicJWK(t, p384, "a", "ES256")}, jwt.SigningMethodES256, p256, false},
		"another kind of key":         {[]any{publicJWK(t, p256, "a", ""), p.jwk("other", nil)}, rs, a, false},
		"an Edwards curve":            {[]any{publicJWK(t, ed, "a", "EdDSA")}, jwt.SigningMethodEdDSA, ed, true},
		"an Edwards curve's new name": {[]any{publicJWK(t, ed, "a", "Ed25519")}, jwt.SigningMethodEdDSA, ed, true},
	} {
		i := issuerWithoutKeys(p)
		require.NoError(t, i.SetKeys([]byte(p.keySet(c.set...))), name)
		kid := "a"
		if c.key == crypto.Signer(small) {
			kid = "small"
		}
		for _, kid := range []any{kid, nil, ""} {
			_, err := i.Verify(p.sign(kid, c.method, c.key, nil))
			if c.good {
				require.NoError(t, err, "%s, kid %v", name, kid)
			} else {
				require.ErrorIs(t, err, ErrInvalid, "%s, kid %v", name, kid)
			}
		}
	}
	i := issuerWithoutKeys(p)
	require.NoError(t, i.SetKeys([]byte("\xef\xbb\xbf"+p.keySet(p.jwk("a", nil)))), "a byte order mark")
	_, err = i.Verify(p.sign(7, rs, a, nil))
	require.ErrorContains(t, err, "kid is no text")
}

// TestOnlyChangedKeysAreReported checks that another order or other white space is no
// change.
func TestOnlyChangedKeysAreReported(t *testing.T) {
	p := newProvider(t)
	i := issuerWithoutKeys(p)
	a, b := p.jwk("a", nil), p.jwk("b", nil)
	set := func(keys ...any) string {
		require.NoError(t, i.SetKeys([]byte(p.keySet(keys...))))
		return fmt.Sprint(i.refresh())
	}
	require.Equal(t, "false", set(a, b), "the first keys are no change of keys")
	require.Equal(t, "false", set(b, a))
	require.Equal(t, "true", set(a))
	require.Contains(t, p.logged.String(), `"the issuer's keys have changed" before="[a b]" now=[a]`)
	require.Equal(t, "true", set(p.jwk("b", map[string]any{"kid": "a"})), "another key of the same name")
	require.Equal(t, "true", set(p.jwk("b", map[string]any{"kid": "a", "alg": "RS256"})))
	require.Equal(t, "false", set(p.jwk("b", map[string]any{"kid": "a", "alg": "RS256"})))
}
