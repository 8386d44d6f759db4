package identity

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// A keySet holds the public keys of an issuer that can verify a token. It does not
// change after parseKeys has made it.
type keySet struct {
	keys    []publicKey // sorted by kid
	skipped []string    // the reason for each key that cannot verify a token
}

// A publicKey is one key of a JWKS (RFC 7517).
type publicKey struct {
	kid string // the key's name; empty when it has none
	alg string // the only method that the key verifies; empty means all methods of its kind
	key comparableKey
}

// A comparableKey is *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
type comparableKey interface {
	Equal(other crypto.PublicKey) bool
}

// minRSABits is the smallest size of an RSA key, in bits (RFC 7518, section 3.3).
const minRSABits = 2048

var byteOrderMark = []byte("\xef\xbb\xbf")

// parseKeys reads a JWKS. It skips keys that cannot verify a token, because a set
// may also hold keys for encryption and keys of newer kinds. A set without any
// usable key is an error.
func parseKeys(raw []byte) (set keySet, err error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(raw, byteOrderMark), &document); err != nil {
		return set, fmt.Errorf("the issuer's keys are no JWKS: %w", err)
	}
	for i, raw := range document.Keys {
		key, err := parseKey(raw)
		if err != nil {
			set.skipped = append(set.skipped, fmt.Sprintf("key %d (%q): %v", i+1, key.kid, err))
			continue
		}
		set.keys = append(set.keys, key)
	}
	slices.SortStableFunc(set.keys, func(a, b publicKey) int { return cmp.Compare(a.kid, b.kid) })
	if len(document.Keys) == 0 {
		return set, errors.New("the issuer's set has no keys")
	}
	if len(set.keys) == 0 {
		return set, fmt.Errorf("the issuer's set has no key that can verify a token: %s",
			strings.Join(set.skipped, "; "))
	}
	return set, nil
}

// parseKey reads one key. With an error it still returns the kid, if it could read
// the kid.
func parseKey(raw json.RawMessage) (key publicKey, err error) {
	var document jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &document); err != nil {
		return key, err
	}
	key.kid, key.alg = document.KID, document.ALG.String()
	if key.alg == "Ed25519" { // RFC 9864 gave EdDSA on this curve a new name.
		key.alg = jwt.SigningMethodEdDSA.Alg()
	}
	if document.USE != "" && document.USE != jwkset.UseSig {
		return key, fmt.Errorf("its use is %q, not sig", document.USE)
	}
	if len(document.KEYOPS) > 0 && !slices.Contains(document.KEYOPS, jwkset.KeyOpsVerify) {
		return key, errors.New("its key_ops are without verify")
	}
	if key.alg != "" && !slices.Contains(publicMethods, key.alg) {
		return key, fmt.Errorf("its alg %q is none of %s", key.alg, strings.Join(publicMethods, ", "))
	}
	// A broken certificate or private part beside the public key must not make the
	// key unusable, so only the public part is read.
	public := jwkset.JWKMarshal{
		KTY: document.KTY,
		CRV: document.CRV,
		X:   document.X,
		Y:   document.Y,
		N:   document.N,
		E:   document.E,
	}
	parsed, err := jwkset.NewJWKFromMarshal(public, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return key, err
	}
	if public, isRSA := parsed.Key().(*rsa.PublicKey); isRSA && public.N.BitLen() < minRSABits {
		return key, fmt.Errorf("it has %d bits; at least %d are needed", public.N.BitLen(), minRSABits)
	}
	switch public := parsed.Key().(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		key.key = public.(comparableKey)
	default: // Such as X25519, a curve for key agreement.
		return key, fmt.Errorf("a %T verifies no token", public)
	}
	return key, nil
}

// equal tells whether two sets have the same keys with the same names and methods.
func (s keySet) equal(other keySet) bool {
	return slices.EqualFunc(s.keys, other.keys, func(a, b publicKey) bool {
		return a.kid == b.kid && a.alg == b.alg && a.key.Equal(b.key)
	})
}

// names returns the names of the keys, for the log.
func (s keySet) names() (all []string) {
	for _, k := range s.keys {
		all = append(all, truncate(k.kid, maxLoggedBytes))
	}
	return all
}

// has tells whether the set has a key with this name.
func (s keySet) has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k publicKey) bool { return k.kid == kid })
}

// Errors of finding a token's key.
var (
	errUnknownKey  = errors.New("the issuer's set has no key of this name")
	errRetiredKey  = errors.New("the issuer has taken away the key that signed it")
	errWrongMethod = errors.New("the issuer's key does not verify this method")
)

// candidates returns the keys that may have signed a token with this kid by this
// method. An empty kid means that the token names no key. Several keys may share a
// kid, and a key without a kid may have signed any token (RFC 7517, section 4.5).
// The error wraps errUnknownKey or errWrongMethod.
func (s keySet) candidates(kid string, method jwt.SigningMethod) (found jwt.VerificationKeySet, err error) {
	kidMatches := false
	for _, k := range s.keys {
		if kid != "" && k.kid != "" && k.kid != kid {
			continue
		}
		kidMatches = true
		if k.verifies(method) {
			found.Keys = append(found.Keys, k.key)
		}
	}
	if !kidMatches {
		return found, fmt.Errorf("%w: %q", errUnknownKey, truncate(kid, maxLoggedBytes))
	}
	if len(found.Keys) == 0 {
		return found, fmt.Errorf("%w: key %q, method %s", errWrongMethod, truncate(kid, maxLoggedBytes), method.Alg())
	}
	return found, nil
}

// maxLoggedBytes is the most bytes of a kid in a line of the log. The senders of
// tokens choose the kid.
const maxLoggedBytes = 64

// truncate returns the beginning of a text, at most maxBytes of it.
func truncate(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxBytes], "")
}

// verifies tells whether a key can verify a signing method: its alg allows the
// method, and its kind and curve fit.
func (k publicKey) verifies(method jwt.SigningMethod) bool {
	if k.alg != "" && k.alg != method.Alg() {
		return false
	}
	switch method := method.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, fits := k.key.(*rsa.PublicKey)
		return fits
	case *jwt.SigningMethodECDSA:
		public, fits := k.key.(*ecdsa.PublicKey)
		return fits && public.Curve.Params().BitSize == method.CurveBits
	case *jwt.SigningMethodEd25519:
		_, fits := k.key.(ed25519.PublicKey)
		return fits
	}
	return false
}
