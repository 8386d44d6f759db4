package identity

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/access"
)

// IssuerConfig says whose tokens are taken, and how they are read.
type IssuerConfig struct {
	Issuer        string        // the claim iss; required
	Audience      string        // one of the claim aud; required
	JWKSURL       string        // the address of the public keys; https, or http on loopback; required
	Refresh       time.Duration // how often the keys are fetched, 1 min
	Skew          time.Duration // of the issuer's clock, 1 min
	Cookie        string        // a cookie that holds a token; "": bearer only
	CookieDomain  string        // the domain that the cookie is set for, such as company.example; "": the host alone
	RolesClaim    string        // a name, or a path such as realm_access.roles; roles
	EmployeeClaim string        // a name or a path; employee_id
	TenantClaim   string        // a name or a path; at the edge, which company a token is of; "": none
	Logger        *slog.Logger
}

// An Issuer verifies the tokens of an identity provider: JWTs (RFC 7519) under
// the keys of its JWKS (RFC 7517). The keys may rotate. A set that cannot be
// fetched, read or used leaves the keys as they were. It is safe for concurrent
// use.
type Issuer struct {
	c       IssuerConfig
	parser  *jwt.Parser
	fetcher *fetcher // nil where the caller brings the keys by SetKeys

	rolesMissing, rolesUnknown, employeeMissing, employeeOdd *rate.Sometimes // bound lines of the log

	mu      sync.Mutex // guards all below
	keys    keySet
	retired map[string]bool // names of keys that were in a set and are gone
	goodAt  time.Time       // when the keys were got last
	keysErr error           // of the last attempt to get the keys; nil after a good one
	skipped string          // the last line of the log about keys that are not used
	changed bool            // the keys have changed since refresh was called last
}

// publicMethods are the signatures that a public key verifies. A shared secret
// is nothing that an issuer could publish.
var publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// logInterval is how long the log is silent about the same lack in further tokens.
const logInterval = 10 * time.Minute

// NewIssuer returns an issuer without keys. Its caller fetches the keys and calls
// SetKeys. The issuer needs no Close.
func NewIssuer(c IssuerConfig) *Issuer {
	sometimes := func() *rate.Sometimes { return &rate.Sometimes{First: 1, Interval: logInterval} }
	return &Issuer{c: c, keysErr: ErrNoKeys, retired: map[string]bool{},
		rolesMissing: sometimes(), rolesUnknown: sometimes(), employeeMissing: sometimes(), employeeOdd: sometimes(),
		parser: jwt.NewParser(jwt.WithValidMethods(publicMethods), jwt.WithIssuer(c.Issuer),
			jwt.WithAudience(c.Audience), jwt.WithLeeway(c.Skew), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithJSONNumber())} // an id must not go through a float
}

// SetKeys replaces the keys by those of a JWKS. With an error the old ones stay,
// and KeysError returns it.
func (i *Issuer) SetKeys(raw []byte) error {
	set, err := parseKeys(raw)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keysErr = err
	if err != nil {
		return err
	}
	if skipped := strings.Join(set.skipped, "; "); skipped != i.skipped {
		i.skipped = skipped
		if skipped != "" {
			i.c.Logger.Warn("some of the issuer's keys are not used", "keys", skipped)
		}
	}
	if len(i.keys.keys) > 0 && !i.keys.equal(set) {
		i.changed = true
		i.c.Logger.Info("the issuer's keys have changed", "before", i.keys.names(), "now", set.names())
	}
	for _, k := range i.keys.keys {
		i.retired[k.kid] = !set.has(k.kid)
	}
	i.keys, i.goodAt = set, time.Now()
	return nil
}

// settleTime is how long after a fetch a key that it took away is refused without
// asking again, so that streams under it end at once.
const settleTime = 5 * time.Second

func (i *Issuer) sinceLastGoodFetch() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Since(i.goodAt)
}

// KeysError returns the error of the last attempt to get the keys, or nil when that
// was good. The keys of the last good attempt stay in use.
func (i *Issuer) KeysError() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keysErr
}

// Fail records that the keys could not be fetched. A caller of SetKeys calls it.
func (i *Issuer) RecordFetchError(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keysErr = err
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
	if c.Issuer == "" || c.Audience == "" || c.JWKSURL == "" {
		return errors.New("--auth jwt needs --jwt-issuer, --jwt-audience and --jwt-jwks")
	}
	u, err := url.Parse(c.JWKSURL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--jwt-jwks %q is not an address", c.JWKSURL)
	}
	if !trustworthy(u) {
		return fmt.Errorf("--jwt-jwks %q: keys are fetched over https", c.JWKSURL)
	}
	return c.checkCookie()
}

// trustworthy tells whether keys may come from an address, because nobody in
// between can replace them.
func trustworthy(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback.IsHost(u.Hostname())
}

func (c IssuerConfig) checkCookie() error {
	if c.Cookie == "" && c.CookieDomain != "" {
		return errors.New("--jwt-cookie-domain needs the name of the cookie: --jwt-cookie")
	}
	if c.Cookie == "" {
		return nil
	}
	cookie := http.Cookie{Name: c.Cookie, Domain: c.CookieDomain}
	if err := cookie.Valid(); err != nil {
		return fmt.Errorf("--jwt-cookie %q with --jwt-cookie-domain %q is no cookie: %w", c.Cookie, c.CookieDomain, err)
	}
	if c.CookieDomain != "" && strings.HasPrefix(c.Cookie, "__Host-") {
		return fmt.Errorf("--jwt-cookie-domain: a cookie named %s has no domain", c.Cookie)
	}
	return nil
}

// refresh tells whether the keys have changed since the last call of refresh.
func (i *Issuer) refresh() (changed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	changed, i.changed = i.changed, false
	return changed
}

// Verify reads a token. The error is ErrExpired, a *Refusal, or ErrNoKeys while
// it is not known whether the token is good.
func (i *Issuer) Verify(token string) (Principal, error) {
	c, err := i.parse(token)
	// The key may be new: one with another name, or in place of an old one.
	// One that was taken away may be back: providers with several servers do not
	// rotate on all of them at once.
	unknown := errors.Is(err, errUnknownKey)
	back := errors.Is(err, errRetiredKey) && i.sinceLastGoodFetch() > settleTime
	if i.fetcher != nil && (unknown || back || errors.Is(err, jwt.ErrTokenSignatureInvalid)) {
		failed := i.fetcher.refetch()
		if failed == nil {
			c, err = i.parse(token)
		} else if unknown && errors.Is(failed, ErrNoKeys) {
			err = failed
		}
	}
	if errors.Is(err, ErrNoKeys) {
		return Principal{}, ErrNoKeys
	}
	if err != nil {
		return Principal{}, refusalOf(err)
	}
	return i.principalOf(token, c)
}

func (i *Issuer) parse(token string) (c jwt.MapClaims, err error) {
	c = jwt.MapClaims{}
	_, err = i.parser.ParseWithClaims(token, c, i.findKeys)
	return c, err
}

// key finds the keys that may verify a token. Extensions that must be understood
// are not (RFC 7515, 4.1.11).
func (i *Issuer) findKeys(t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("the token has extensions that are not known here")
	}
	kid, isText := t.Header["kid"].(string)
	if _, named := t.Header["kid"]; named && !isText {
		return nil, fmt.Errorf("%w: its kid is no text", jwt.ErrTokenMalformed)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.keys.keys) == 0 {
		return nil, ErrNoKeys
	}
	found, err := i.keys.candidates(kid, t.Method)
	if !errors.Is(err, errUnknownKey) {
		return found, err
	}
	if i.retired[kid] {
		return nil, errRetiredKey
	}
	if i.keysErr != nil {
		return nil, errors.Join(err, ErrNoKeys)
	}
	return nil, err
}

// principal makes the grant of a token that is verified.
func (i *Issuer) principalOf(token string, c jwt.MapClaims) (Principal, error) {
	subject, err := c.GetSubject()
	if err != nil {
		return Principal{}, refuseClaims(err)
	}
	name, _ := c["name"].(string)
	name = truncate(name, access.MaxUser)
	g, err := access.NewGrant(subject, name, i.roles(c), i.employee(c))
	if err == nil && i.c.TenantClaim != "" {
		value, _ := findClaim(c, i.c.TenantClaim)
		tenant, _ := value.(string)
		g, err = g.InTenant(tenant)
	}
	if err != nil {
		return Principal{}, refuseClaims(err)
	}
	expires, err := c.GetExpirationTime()
	if err != nil {
		return Principal{}, refusalOf(err)
	}
	return Principal{Grant: g, Credential: credential(token, c), Expires: clampExpiry(expires.Add(i.c.Skew)), IsPerson: true},
		nil
}

// credential names the sign-in at the provider that a token is of: the tokens
// that renew it have the same claim sid (OpenID Connect Front-Channel Logout 1.0,
// section 3). Without that claim each token is a sign-in of its own.
func credential(token string, c jwt.MapClaims) string {
	sid, _ := c["sid"].(string)
	subject, _ := c["sub"].(string)
	if sid == "" {
		return tokenName(token)
	}
	return tokenName("sid\n" + subject + "\n" + sid)
}

// credentialOf returns the credential of a token that may have expired. A token
// that the issuer has not signed names no sign-in but its own.
func (i *Issuer) credentialOf(token string) string {
	c := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods(publicMethods), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(token, c, i.findKeys); err != nil || c["iss"] != i.c.Issuer {
		return tokenName(token)
	}
	return credential(token, c)
}
