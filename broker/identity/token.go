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
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/snd-rental/yardline/shared/access"
)

// Tokens mints and verifies the installation's bearer tokens: JWTs (RFC 7519)
// signed with HMAC-SHA-256 under a key that never leaves the data directory.
// It is safe for concurrent use.
type Tokens struct {
	path string // "": the key is not in a file

	mu     sync.Mutex // guards all below
	key    []byte
	loaded os.FileInfo
}

const (
	// KeyFile is the name of the key's file in a data directory.
	KeyFile     = "token.key"
	keyBytes    = 32
	tokenIssuer = "yardline"
)

// NewTokens uses a key that is kept elsewhere than in a file: 32 bytes in
// hexadecimal.
func NewTokens(key string) (*Tokens, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != keyBytes {
		return nil, fmt.Errorf("the token key is damaged: it should be %d bytes in hexadecimal", keyBytes)
	}
	return &Tokens{key: raw}, nil
}

// Refresh reads the key again where its file has changed: what was signed
// under the old one is worth nothing then. A file that cannot be used leaves
// the key as it was.
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
	return changed, nil
}

func (t *Tokens) currentKey() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.key
}

// Fingerprint names the key without giving it away: brokers of one installation
// have the same.
func (t *Tokens) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("yardline installation\n"), t.currentKey()...))
	return hex.EncodeToString(sum[:12])
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Name     string        `json:"name,omitempty"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
	Tenant   string        `json:"tenant,omitempty"`
	Stamp    string        `json:"stamp,omitempty"` // of a session
}

// Mint signs a token for a grant.
func (t *Tokens) Create(g access.Grant, ttl time.Duration) (string, error) {
	return t.sign(tokenIssuer, claims{Name: g.Name, Roles: g.Roles, Employee: g.Employee, Tenant: g.Tenant}, g.User, time.Now().Add(ttl))
}

func (t *Tokens) sign(issuer string, c claims, subject string, expires time.Time) (string, error) {
	c.RegisteredClaims = jwt.RegisteredClaims{Issuer: issuer, Subject: subject, IssuedAt: jwt.NewNumericDate(time.Now()),
		ExpiresAt: jwt.NewNumericDate(expires), ID: rand.Text()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.currentKey())
}

// Verify reads a token. The error is ErrExpired or a *Refusal.
func (t *Tokens) Verify(token string) (Principal, error) {
	c, err := t.parse(tokenIssuer, token)
	if err != nil {
		return Principal{}, err
	}
	g, err := access.NewGrant(c.Subject, c.Name, c.Roles, c.Employee)
	if err == nil && c.Tenant != "" {
		g, err = g.InTenant(c.Tenant)
	}
	if err != nil {
		return Principal{}, refuseClaims(err)
	}
	return Principal{Grant: g, Credential: tokenName(token), Expires: clampExpiry(c.ExpiresAt.Time)}, nil
}

// parse reads what an issuer of ours has signed.
func (t *Tokens) parse(issuer, token string) (c claims, err error) {
	_, err = jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.currentKey(), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired())
	if err != nil {
		return c, refusalOf(err)
	}
	return c, nil
}

// ours tells whether a token claims to be signed by this installation. It
// decides who verifies it, not whether it is true.
func isOurs(token string) bool {
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	return err != nil || parsed.Method == jwt.SigningMethodHS256
}
