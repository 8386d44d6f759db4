package identity

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/access"
)

// IssuerConfig says whose tokens are taken, and how they are read.
type IssuerConfig struct {
	Issuer        string        // the claim iss; required
	Audience      string        // one of the claim aud; required
	JWKS          string        // the address of the public keys; https, or http on loopback; required
	Refresh       time.Duration // how often the keys are fetched, 1 min
	Skew          time.Duration // of the issuer's clock, 1 min
	Cookie        string        // a cookie that holds a token; "": bearer only
	RolesClaim    string        // a path such as realm_access.roles; roles
	EmployeeClaim string        // employee_id
	TenantClaim   string        // at the edge, which company a token is of; "": none
	Logger        *slog.Logger
}

// An Issuer verifies the tokens of an identity provider: JWTs (RFC 7519) under
// the keys of its JWKS (RFC 7517), which are fetched again and again, so that
// keys may rotate. It is safe for concurrent use.
type Issuer struct {
	c      IssuerConfig
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
	stop   func()
	keyed  atomic.Bool // some keys are known

	mu   sync.Mutex // guards seen
	seen []byte     // the keys, when somebody asked last
}

// publicMethods are the signatures that a public key verifies. A shared secret
// is nothing that an issuer could publish.
var publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

const fetchTimeout = 10 * time.Second

// OpenIssuer fetches the keys. Close ends their refreshing.
func OpenIssuer(c IssuerConfig) (*Issuer, error) {
	ctx, stop := context.WithCancel(context.Background())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{c.JWKS}, keyfunc.Override{
		Client: &http.Client{Transport: transport, Timeout: fetchTimeout}, HTTPTimeout: fetchTimeout, RefreshInterval: c.Refresh,
		// Without it a new key waits for the next refresh; with it anybody
		// could make us fetch, so it is rare.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(5*time.Second), 5), RateLimitWaitMax: time.Second,
		NoErrorReturnFirstHTTPReq: new(bool),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				c.Logger.Error("the issuer's keys could not be fetched; the old ones stay", "error", err)
			}
		},
	})
	if err != nil {
		stop()
		transport.CloseIdleConnections()
		return nil, fmt.Errorf("cannot fetch the issuer's keys: %w", err)
	}
	i := newIssuer(c, keys)
	i.keyed.Store(true) // or will be: the broker fetches by itself
	i.stop = func() { stop(); transport.CloseIdleConnections() }
	i.refresh()
	return i, nil
}

// NewIssuer knows no keys before SetKeys: for who fetches them by other means.
// It needs no Close.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	keys, err := keyfunc.New(keyfunc.Options{Storage: jwkset.NewMemoryStorage()})
	if err != nil {
		return nil, fmt.Errorf("identity: keys: %w", err)
	}
	return newIssuer(c, keys), nil
}

// SetKeys replaces the keys by those of a JWKS. With an error the old ones
// stay.
func (i *Issuer) SetKeys(raw []byte) error {
	var marshalled jwkset.JWKSMarshal
	if err := json.Unmarshal(raw, &marshalled); err != nil {
		return fmt.Errorf("the issuer's keys are no JWKS: %w", err)
	}
	keys, err := marshalled.JWKSlice()
	if err != nil {
		return fmt.Errorf("the issuer's keys cannot be read: %w", err)
	}
	if len(keys) == 0 {
		return errors.New("the issuer has no keys")
	}
	err = i.keys.Storage().KeyReplaceAll(context.Background(), keys)
	i.keyed.Store(err == nil || i.keyed.Load())
	return err
}

func newIssuer(c IssuerConfig, keys keyfunc.Keyfunc) *Issuer {
	return &Issuer{c: c, keys: keys, parser: jwt.NewParser(jwt.WithValidMethods(publicMethods), jwt.WithIssuer(c.Issuer),
		jwt.WithAudience(c.Audience), jwt.WithLeeway(c.Skew), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithJSONNumber())} // an id must not go through a float
}

// WithDefaults fills in what was left out.
func (c IssuerConfig) WithDefaults(logger *slog.Logger) IssuerConfig {
	c.Refresh = cmp.Or(c.Refresh, time.Minute)
	c.Skew = cmp.Or(c.Skew, time.Minute)
	c.RolesClaim = cmp.Or(c.RolesClaim, "roles")
	c.EmployeeClaim = cmp.Or(c.EmployeeClaim, "employee_id")
	c.Logger = logger
	return c
}

// Check refuses what must not be used.
func (c IssuerConfig) Check() error {
	if c.Issuer == "" || c.Audience == "" || c.JWKS == "" {
		return errors.New("--auth jwt needs --jwt-issuer, --jwt-audience and --jwt-jwks")
	}
	u, err := url.Parse(c.JWKS)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--jwt-jwks %q is not an address", c.JWKS)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback.Name(u.Hostname())) {
		return fmt.Errorf("--jwt-jwks %q: keys are fetched over https", c.JWKS)
	}
	return nil
}

// Close ends the refreshing of the keys.
func (i *Issuer) Close() { i.stop() }

// refresh tells whether the keys are others than the last time.
func (i *Issuer) refresh() (changed bool) {
	raw, err := i.keys.Storage().JSONPublic(context.Background())
	if err != nil {
		return false // what cannot be told is not changed
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	changed = i.seen != nil && !bytes.Equal(i.seen, raw)
	i.seen = raw
	return changed
}

func (i *Issuer) cookie(r *http.Request) string {
	if i.c.Cookie == "" {
		return ""
	}
	c, err := r.Cookie(i.c.Cookie)
	if err != nil {
		return ""
	}
	return c.Value
}

func (i *Issuer) forget(w http.ResponseWriter) {
	// Browsers take the prefixes __Host- and __Secure- with Secure alone.
	http.SetCookie(w, &http.Cookie{Name: i.c.Cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: strings.HasPrefix(i.c.Cookie, "__")})
}

// Verify reads a token. The error is ErrExpired or ErrInvalid, wrapped, or
// ErrNoKeys.
func (i *Issuer) Verify(token string) (Principal, error) {
	if !i.keyed.Load() {
		return Principal{}, ErrNoKeys
	}
	c := jwt.MapClaims{}
	_, err := i.parser.ParseWithClaims(token, c, i.key)
	if err != nil {
		return Principal{}, refused(err)
	}
	subject, err := c.GetSubject()
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	name, _ := c["name"].(string)
	g, err := access.NewGrant(subject, name, rolesOf(c, i.c.RolesClaim), employeeOf(c[i.c.EmployeeClaim]))
	if err == nil && i.c.TenantClaim != "" {
		tenant, _ := c[i.c.TenantClaim].(string)
		g, err = g.Of(tenant)
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	expires, err := c.GetExpirationTime()
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Principal{Grant: g, Credential: tokenName(token), Expires: expires.Add(i.c.Skew), Person: true}, nil
}

// minRSA is the least size of an RSA key, in bits (RFC 7518, 3.3).
const minRSA = 2048

// key finds what verifies a token. Extensions that must be understood are not
// (RFC 7515, 4.1.11).
func (i *Issuer) key(t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("the token has extensions that are not known here")
	}
	key, err := i.keys.Keyfunc(t)
	if public, isRSA := key.(*rsa.PublicKey); isRSA && public.N.BitLen() < minRSA {
		return nil, fmt.Errorf("the key has %d bits; at least %d are needed", public.N.BitLen(), minRSA)
	}
	return key, err
}

// rolesOf reads the roles at a path: a list, or names in one text. What is no
// role of ours is one of another system.
func rolesOf(c jwt.MapClaims, path string) (roles []access.Role) {
	var value any = map[string]any(c)
	for part := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[part]
	}
	var names []string
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			name, _ := v.(string)
			names = append(names, name)
		}
	case string:
		names = strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, name := range names {
		if role := access.Role(name); slices.Contains(access.Roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// employeeOf reads an employee id, 0 where there is none.
func employeeOf(v any) int64 {
	switch v := v.(type) {
	case json.Number:
		return employeeOf(v.String())
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 0
}
