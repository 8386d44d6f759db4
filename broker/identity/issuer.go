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
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/access"
)

// IssuerConfig defines which tokens an Issuer accepts, and how it reads them. Call
// WithDefaults before Check, NewIssuer or OpenIssuer.
type IssuerConfig struct {
	// Issuer is the claim iss of all tokens. It is required.
	Issuer string
	// Audience must be among the values of the claim aud. It is required.
	Audience string
	// JWKSURL is the address of the public keys. It must be https, or http on
	// loopback. It is required.
	JWKSURL string
	// Refresh is the time between two fetches of the keys. Defaults to 1 minute.
	Refresh time.Duration
	// Skew is the tolerated difference between the issuer's clock and the broker's.
	// Defaults to 1 minute.
	Skew time.Duration
	// Cookie is the name of a cookie that holds a token. Empty means that only bearer
	// tokens are read.
	Cookie string
	// CookieDomain is the domain that the provider sets the cookie for, such as
	// company.example. Signing out removes the cookie of this domain, too. Empty means
	// that the cookie belongs to the host alone.
	CookieDomain string
	// RolesClaim is the name of the claim with the roles, or its path, such as
	// realm_access.roles. Defaults to "roles".
	RolesClaim string
	// EmployeeClaim is the name or path of the claim with the employee id. Defaults to
	// "employee_id".
	EmployeeClaim string
	// TenantClaim is the name or path of the claim with the tenant. Empty means that
	// tokens name no tenant.
	TenantClaim string
	// Logger receives changes of the keys and faults of tokens. WithDefaults sets it.
	Logger *slog.Logger
}

// An Issuer verifies the tokens of an identity provider. They are JWTs (RFC 7519),
// signed with a key of the provider's JWKS (RFC 7517). The provider may rotate its
// keys. When a new set cannot be fetched, read or used, the previous keys stay in
// use. An Issuer is safe for concurrent use.
type Issuer struct {
	c       IssuerConfig
	parser  *jwt.Parser
	fetcher *fetcher // nil when the caller sets the keys by SetKeys

	// These limit how often the log reports the same fault of tokens.
	rolesMissing, rolesUnknown, employeeMissing, employeeInvalid *rate.Sometimes

	mu      sync.Mutex // guards all below
	keys    keySet
	retired map[string]bool // true for kids of earlier sets that a later set removed; see errRetiredKey
	goodAt  time.Time       // time of the last SetKeys without an error
	keysErr error           // of the last attempt to get the keys; nil when it succeeded
	skipped string          // the unusable keys that the log last reported
	changed bool            // whether the keys have changed since the last call of refresh

	keyChanges atomic.Uint64 // changes of the keys so far; only a goroutine that holds mu increases it
}

// publicMethods lists the signing methods that a public key verifies. The methods
// with a shared secret are missing, because an issuer could not publish the secret.
var publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// logInterval is the time between two lines of the log about the same fault of
// tokens.
const logInterval = 10 * time.Minute

// NewIssuer returns an Issuer without keys. The caller must fetch the keys and call
// SetKeys, or RecordFetchError when that fails. The Issuer needs no Close.
func NewIssuer(c IssuerConfig) *Issuer {
	sometimes := func() *rate.Sometimes { return &rate.Sometimes{First: 1, Interval: logInterval} }
	return &Issuer{
		c:               c,
		keysErr:         ErrNoKeys,
		retired:         map[string]bool{},
		rolesMissing:    sometimes(),
		rolesUnknown:    sometimes(),
		employeeMissing: sometimes(),
		employeeInvalid: sometimes(),
		parser: jwt.NewParser(
			jwt.WithValidMethods(publicMethods),
			jwt.WithIssuer(c.Issuer),
			jwt.WithAudience(c.Audience),
			jwt.WithLeeway(c.Skew),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithJSONNumber(), // A float64 would round large employee ids.
		),
	}
}

// SetKeys replaces the keys by those of a JWKS. With an error the old keys stay in
// use, and KeysError returns the error.
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
	if !i.keys.equal(set) {
		i.keyChanges.Add(1)
	}
	i.keys, i.goodAt = set, time.Now()
	return nil
}

// settleTime is the time after a fetch in which Verify refuses tokens of a removed
// key without another fetch, so that streams that were opened with such tokens end
// at once.
const settleTime = 5 * time.Second

// sinceLastGoodFetch returns the time since the last SetKeys without an error.
func (i *Issuer) sinceLastGoodFetch() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Since(i.goodAt)
}

// KeysError returns the error of the last attempt to get the keys, or nil when it
// succeeded. It is ErrNoKeys before the first attempt.
func (i *Issuer) KeysError() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keysErr
}

// RecordFetchError makes KeysError return err. The caller of SetKeys must call it
// when it cannot fetch the keys.
func (i *Issuer) RecordFetchError(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keysErr = err
}

// WithDefaults returns a copy with the defaults for the empty fields, and with this
// logger.
func (c IssuerConfig) WithDefaults(logger *slog.Logger) IssuerConfig {
	c.Refresh = cmp.Or(c.Refresh, time.Minute)
	c.Skew = cmp.Or(c.Skew, time.Minute)
	c.RolesClaim = cmp.Or(c.RolesClaim, "roles")
	c.EmployeeClaim = cmp.Or(c.EmployeeClaim, "employee_id")
	c.Logger = logger
	return c
}

// Check returns an error for the operator when the configuration is incomplete, or when
// JWKSURL or the cookie cannot be used.
func (c IssuerConfig) Check() error {
	if c.Issuer == "" || c.Audience == "" || c.JWKSURL == "" {
		return errors.New("--auth jwt needs --jwt-issuer, --jwt-audience and --jwt-jwks")
	}
	u, err := url.Parse(c.JWKSURL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--jwt-jwks %q is not an address", c.JWKSURL)
	}
	if !isTrustworthy(u) {
		return fmt.Errorf("--jwt-jwks %q: keys are fetched over https", c.JWKSURL)
	}
	return c.checkCookie()
}

// isTrustworthy tells whether the issuer may fetch keys from an address: nobody on the
// network can replace keys that come over https or from loopback.
func isTrustworthy(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback.IsHost(u.Hostname())
}

// checkCookie returns an error when the cookie's name and domain cannot be used.
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

// refresh tells whether the keys have changed since the last call of refresh. The
// first keys are no change.
func (i *Issuer) refresh() (changed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	changed, i.changed = i.changed, false
	return changed
}

// Verify verifies a token and returns its principal. The error is ErrExpired, a
// *Refusal, or ErrNoKeys while the keys that could verify the token are unknown.
// Verify may fetch the keys and waits up to maxFetchWait for them.
func (i *Issuer) Verify(token string) (Principal, error) {
	v, err := i.verify(token)
	return v.Principal, err
}

// verify is Verify, and also returns from when the token is valid.
func (i *Issuer) verify(token string) (verifiedToken, error) {
	c, err := i.parse(token)
	// The key may be new, with a new name or with the name of an old key. A removed
	// key may be back, because a provider with several servers does not rotate its
	// keys on all of them at once.
	unknown := errors.Is(err, errUnknownKey)
	mayBeBack := errors.Is(err, errRetiredKey) && i.sinceLastGoodFetch() > settleTime
	if i.fetcher != nil && (unknown || mayBeBack || errors.Is(err, jwt.ErrTokenSignatureInvalid)) {
		failed := i.fetcher.refetch()
		if failed == nil {
			c, err = i.parse(token)
		} else if unknown && errors.Is(failed, ErrNoKeys) {
			err = failed
		}
	}
	if errors.Is(err, ErrNoKeys) {
		return verifiedToken{}, ErrNoKeys
	}
	if err != nil {
		return verifiedToken{}, refusalOf(err)
	}
	p, err := i.principalOf(token, c)
	return verifiedToken{p, i.notBefore(c)}, err
}

// notBefore returns the time from which on verified claims are valid.
func (i *Issuer) notBefore(c jwt.MapClaims) (from time.Time) {
	for _, get := range []func() (*jwt.NumericDate, error){c.GetNotBefore, c.GetIssuedAt} {
		if at, err := get(); err == nil && at != nil && at.Add(-i.c.Skew).After(from) {
			from = at.Add(-i.c.Skew)
		}
	}
	return from
}

// parse verifies a token with the present keys and returns its claims.
func (i *Issuer) parse(token string) (c jwt.MapClaims, err error) {
	c = jwt.MapClaims{}
	_, err = i.parser.ParseWithClaims(token, c, i.findKeys)
	return c, err
}

// findKeys returns the keys that may verify a token, for the parser. It refuses
// tokens with critical extensions, because it knows none (RFC 7515, section 4.1.11).
func (i *Issuer) findKeys(t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		return nil, errors.New("the token has extensions that are not known here")
	}
	kid, isText := t.Header["kid"].(string)
	if _, hasKid := t.Header["kid"]; hasKid && !isText {
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

// principalOf returns the principal of a verified token.
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
	return Principal{
		Grant:      g,
		Credential: credential(token, c),
		Expires:    clampExpiry(expires.Add(i.c.Skew)),
		IsPerson:   true,
	}, nil
}

// credential returns a name for the sign-in at the provider that a token belongs
// to. All tokens of a sign-in have the same claim sid (OpenID Connect Front-Channel
// Logout 1.0, section 3). Without this claim each token counts as its own sign-in.
func credential(token string, c jwt.MapClaims) string {
	sid, _ := c["sid"].(string)
	subject, _ := c["sub"].(string)
	if sid == "" {
		return tokenName(token)
	}
	return tokenName("sid\n" + subject + "\n" + sid)
}

// credentialOf returns the credential of a token, even if the token has expired. A
// token that the issuer did not sign counts as its own sign-in.
func (i *Issuer) credentialOf(token string) string {
	c := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods(publicMethods), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(token, c, i.findKeys); err != nil || c["iss"] != i.c.Issuer {
		return tokenName(token)
	}
	return credential(token, c)
}
