package identity

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/snd-rental/yardline/shared/access"
)

// Tokens mints and verifies the installation's bearer tokens: JWTs (RFC 7519)
// signed with HMAC-SHA-256 under a key that never leaves the data directory.
// It is safe for concurrent use.
type Tokens struct {
	key []byte
}

const (
	keyFile  = "token.key"
	keyBytes = 32
	issuer   = "yardline"
)

// OpenTokens reads the key of a data directory, and makes one where there is
// none.
func OpenTokens(dir string) (*Tokens, error) {
	path := filepath.Join(dir, keyFile)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("cannot use the data directory %s: %w", dir, err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("cannot make the token key %s: %w", path, err)
		}
	}
	return LoadTokens(dir)
}

// LoadTokens reads the key of a broker's data directory.
func LoadTokens(dir string) (*Tokens, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is no broker's data directory: there is no %s in it", dir, keyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the token key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("the token key %s is damaged: it should be %d bytes in hexadecimal", path, keyBytes)
	}
	return &Tokens{key}, nil
}

// makeKey writes a whole key or none: it is linked into place, and whoever
// links second uses the first one's.
func makeKey(path string) error {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), keyFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, hex.EncodeToString(key))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Name     string        `json:"name,omitempty"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
}

// Mint signs a token for a grant.
func (t *Tokens) Mint(g access.Grant, ttl time.Duration) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: g.User, IssuedAt: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)), ID: rand.Text()},
		Name: g.Name, Roles: g.Roles, Employee: g.Employee,
	}).SignedString(t.key)
}

// Verify reads a token. The error is ErrExpired or ErrInvalid, wrapped.
func (t *Tokens) Verify(token string) (Principal, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired())
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Principal{}, ErrExpired
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	g, err := access.NewGrant(c.Subject, c.Name, c.Roles, c.Employee)
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Principal{Grant: g, Expires: c.ExpiresAt.Time}, nil
}
