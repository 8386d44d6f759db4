package edge

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/zone"
	"github.com/snd-rental/yardline/shared/event"
)

// Config configures the program. [ReadConfig] reads it from the worker's variables and secrets.
// docs/edge.md names the variable of each field.
type Config struct {
	// Origin is the address of the broker, without a slash at the end, if the worker is a gate in
	// front of a broker. "" means that the hub runs at the edge.
	Origin string
	// Tenant is the company whose status is public, and for which demo users sign in. Defaults to
	// main.
	Tenant string

	// Tokens signs and verifies bearer tokens. It is required.
	Tokens *identity.Tokens
	// Dev lets anybody sign in as a demo user. The front then answers only requests
	// whose host is a name of a loopback address.
	Dev bool
	// Issuer verifies the tokens of an identity provider. nil means that there is none.
	Issuer *identity.Issuer
	// Refresh is the time between two fetches of the issuer's keys. Defaults to one minute.
	Refresh time.Duration
	// Origins are the other origins whose pages may use the API.
	Origins []string

	// Heartbeat is the time between two heartbeats of a quiet stream. Defaults to 15 seconds.
	Heartbeat time.Duration
	// DedupWindow is how long the log remembers the ids of events. It is at most Retention.
	// Defaults to one hour.
	DedupWindow time.Duration
	// Retention is how long events are kept. Defaults to 30 days.
	Retention time.Duration
	// Location is the time zone of the installation. Defaults to UTC.
	Location *time.Location
	// Currency is the installation's currency, a code of ISO 4217. Defaults to EUR.
	Currency string
	// Fleet is the number of units that the installation rents out. 0 means that it is unknown.
	Fleet int
	// Strict refuses unknown fields in the events of every publisher.
	Strict bool
	// Logger writes the worker's log. It is required.
	Logger *slog.Logger
}

// ReadConfig reads the configuration by env, which returns the value of a variable or secret, or
// "". The error names the first variable that is faulty.
func ReadConfig(env func(string) string, log *slog.Logger) (Config, error) {
	r := variableReader{env: env}
	c := Config{
		Origin:      strings.TrimSuffix(env("ORIGIN"), "/"),
		Tenant:      cmp.Or(env("TENANT"), "main"),
		Logger:      log,
		Heartbeat:   r.duration("HEARTBEAT", 15*time.Second),
		DedupWindow: r.duration("DEDUP_WINDOW", time.Hour),
		Retention:   r.duration("RETENTION", 30*24*time.Hour),
		Refresh:     r.duration("JWT_REFRESH", time.Minute),
		Currency:    cmp.Or(env("CURRENCY"), "EUR"),
		Fleet:       r.count("FLEET"),
		Strict:      r.boolean("STRICT"),
		Dev:         env("AUTH") == "dev",
	}
	for origin := range strings.FieldsSeq(strings.ReplaceAll(env("ALLOW_ORIGIN"), ",", " ")) {
		r.recordError("ALLOW_ORIGIN", httpapi.CheckOrigin(origin))
		c.Origins = append(c.Origins, origin)
	}
	c.DedupWindow = min(c.DedupWindow, c.Retention) // A receipt "duplicate" must not name a purged event.
	var err error
	c.Location, err = zone.Load(env("TIME_ZONE"))
	r.recordError("TIME_ZONE", err)
	if !event.IsCurrency(c.Currency) {
		r.recordError("CURRENCY", fmt.Errorf("%q is no code of ISO 4217", c.Currency))
	}
	c.Tokens, err = identity.NewTokens(env("TOKEN_KEY"))
	r.recordError("TOKEN_KEY", err)
	switch env("AUTH") {
	case "", "token":
	case "dev":
		if c.Origin != "" {
			r.recordError("AUTH", errors.New("a gate signs nobody in: its broker does not know them"))
		}
	case "jwt":
		issuer := issuerConfig(env, log)
		if c.Origin == "" {
			issuer.TenantClaim = cmp.Or(env("JWT_TENANT_CLAIM"), "tenant")
		}
		r.recordError("JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS or JWT_COOKIE_DOMAIN", issuer.Check())
		c.Issuer = identity.NewIssuer(issuer)
	default:
		r.recordError("AUTH", fmt.Errorf("%q is none of token, dev and jwt", env("AUTH")))
	}
	return c, r.err
}

// issuerConfig reads the configuration of the identity provider, without the claim of the tenant.
func issuerConfig(env func(string) string, log *slog.Logger) identity.IssuerConfig {
	return identity.IssuerConfig{
		Issuer:        env("JWT_ISSUER"),
		Audience:      env("JWT_AUDIENCE"),
		JWKSURL:       env("JWT_JWKS"),
		Cookie:        env("JWT_COOKIE"),
		CookieDomain:  env("JWT_COOKIE_DOMAIN"),
		RolesClaim:    env("JWT_ROLES_CLAIM"),
		EmployeeClaim: env("JWT_EMPLOYEE_CLAIM"),
	}.WithDefaults(log)
}

// variableReader reads variables and keeps the first error.
type variableReader struct {
	env func(string) string
	err error
}

// recordError keeps an error of a variable, unless there is an earlier error.
func (r *variableReader) recordError(name string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("the variable %s: %w", name, err)
	}
}

// duration reads a duration above 0. fallback is its value if the variable is not set.
func (r *variableReader) duration(name string, fallback time.Duration) time.Duration {
	text := r.env(name)
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is no time to wait", text)
	}
	r.recordError(name, err)
	return d
}

// count reads a number that is not negative. It is 0 if the variable is not set.
func (r *variableReader) count(name string) int {
	text := cmp.Or(r.env(name), "0")
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = fmt.Errorf("%d is negative", n)
	}
	r.recordError(name, err)
	return n
}

// boolean reads true or false. It is false if the variable is not set.
func (r *variableReader) boolean(name string) bool {
	text := r.env(name)
	if text != "" && text != "true" && text != "false" {
		r.recordError(name, fmt.Errorf("%q is neither true nor false", text))
	}
	return text == "true"
}

// hub returns the configuration of a hub, without its log.
func (c Config) hub() hub.Config {
	return hub.Config{
		Logger:     c.Logger,
		Heartbeat:  c.Heartbeat,
		Location:   c.Location,
		Currency:   c.Currency,
		Fleet:      c.Fleet,
		Strict:     c.Strict,
		TrustClock: true,
	}
}
