package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/snd-rental/yardline/shared/access"
)

// Tokens creates and verifies the installation's bearer tokens. They are JWTs
// (RFC 7519), signed with HMAC-SHA-256 and a secret key. Tokens is safe for
// concurrent use.
type Tokens struct {
	path string // of the key's file; empty when the key is not in a file

	mu     sync.Mutex // guards all below
	key    []byte
	loaded os.FileInfo // of the key's file when Refresh last read it

	keyChanges atomic.Uint64 // changes of the key so far; only a goroutine that holds mu increases it
}

const (
	// KeyFile is the name of the key's file in a data directory.
	KeyFile = "token.key"
	// keyBytes is the length of a key. The file holds it in hexadecimal.
	keyBytes = 32
	// tokenIssuer is the claim iss of bearer tokens.
	tokenIssuer = "yardline"
)

// NewTokens returns Tokens with a key that the caller keeps: 32 bytes in
// hexadecimal. OpenTokens and LoadTokens read the key from a file instead.
func NewTokens(key string) (*Tokens, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != keyBytes {
		return nil, fmt.Errorf("the token key is damaged: it should be %d bytes in hexadecimal", keyBytes)
	}
	return &Tokens{key: raw}, nil
}

// Refresh reads the key again when its file has changed. All tokens that the old
// key signed are invalid then. With an error the old key stays in use.
func (t *Tokens) Refresh() (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.path == "" {
		return false, nil
	}
	info, err := os.Stat(t.path)
	if err == nil && t.loaded != nil && isUnchanged(t.loaded, info) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read the token key: %w", err)
	}
	text, err := os.ReadFile(t.path)
	if err != nil {
		return false, fmt.Errorf("cannot read the token key: %w", err)
	}
	t.loaded = info
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return false, fmt.Errorf("the token key %s is damaged: it should be %d bytes in hexadecimal", t.path, keyBytes)
	}
	changed = t.key != nil && !bytes.Equal(t.key, key)
	t.key = key
	if changed {
		t.keyChanges.Add(1)
	}
	return changed, nil
}

// currentKey returns the key, which Refresh may replace.
func (t *Tokens) currentKey() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.key
}

// Fingerprint returns a name for the key that does not reveal it. All brokers of
// an installation have the same fingerprint.
func (t *Tokens) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("yardline installation\n"), t.currentKey()...))
	return hex.EncodeToString(sum[:12])
}

// claims holds the claims of a bearer token or of a signed session.
type claims struct {
	jwt.RegisteredClaims
	Name     string        `json:"name,omitempty"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
	Tenant   string        `json:"tenant,omitempty"`
	Stamp    string        `json:"stamp,omitempty"` // Principal.Stamp; only sessions have it
}

// Create returns a signed token for a grant. The token expires after ttl.
func (t *Tokens) Create(g access.Grant, ttl time.Duration) (string, error) {
	c := claims{Name: g.Name, Roles: g.Roles, Employee: g.Employee, Tenant: g.Tenant}
	return t.sign(tokenIssuer, c, g.User, time.Now().Add(ttl))
}

// sign returns a signed token with these claims and the registered ones.
func (t *Tokens) sign(issuer string, c claims, subject string, expires time.Time) (string, error) {
	c.RegisteredClaims = jwt.RegisteredClaims{
		Issuer:    issuer,
		Subject:   subject,
		IssuedAt:  jwt.NewNumericDate(time.Now()),
		ExpiresAt: jwt.NewNumericDate(expires),
		ID:        rand.Text(),
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.currentKey())
}

// Verify verifies a bearer token and returns its principal. The error is
// ErrExpired or a *Refusal.
func (t *Tokens) Verify(token string) (Principal, error) {
	v, err := t.verify(token)
	return v.Principal, err
}

// verify is Verify, and also returns from when the token is valid.
func (t *Tokens) verify(token string) (v verifiedToken, err error) {
	c, err := t.parse(tokenIssuer, token)
	if err != nil {
		return v, err
	}
	g, err := access.NewGrant(c.Subject, c.Name, c.Roles, c.Employee)
	if err == nil && c.Tenant != "" {
		g, err = g.InTenant(c.Tenant)
	}
	if err != nil {
		return v, refuseClaims(err)
	}
	if c.NotBefore != nil {
		v.notBefore = c.NotBefore.Time
	}
	v.Principal = Principal{Grant: g, Credential: tokenName(token), Expires: clampExpiry(c.ExpiresAt.Time)}
	return v, nil
}

// parse verifies a token or session and returns its claims. issuer is the claim
// iss that it must have: tokenIssuer or sessionIssuer.
func (t *Tokens) parse(issuer, token string) (c claims, err error) {
	_, err = jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.currentKey(), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired())
	if err != nil {
		return c, refusalOf(err)
	}
	return c, nil
}

// isOurs tells whether Tokens, not an Issuer, must verify a token. It reads the
// signing method alone and verifies nothing. It is also true for a text that is no JWT.
func isOurs(token string) bool {
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	return err != nil || parsed.Method == jwt.SigningMethodHS256
}
