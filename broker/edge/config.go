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

// A Config is how the edge runs, read from the worker's variables and secrets.
// Every field's variable is named in docs/edge.md.
type Config struct {
	Origin string // of the broker that this is a gate of; "": there is none, and the hub is here
	Tenant string // whose status is public, and who signs in for the demo

	Tokens  *identity.Tokens
	Dev     bool // anybody signs in as a demo user; answers to loopback names alone
	Issuer  *identity.Issuer
	Refresh time.Duration // how often the issuer's keys are fetched
	Origins []string      // whose pages may use the API beside our own

	Heartbeat   time.Duration
	DedupWindow time.Duration
	Retention   time.Duration
	Location    *time.Location
	Currency    string
	Fleet       int
	Strict      bool
	Logger      *slog.Logger
}

// ReadConfig reads the variables. The error names the one that is wrong.
func ReadConfig(env func(string) string, log *slog.Logger) (Config, error) {
	r := reader{env: env}
	c := Config{Origin: strings.TrimSuffix(env("ORIGIN"), "/"), Tenant: cmp.Or(env("TENANT"), "main"), Logger: log,
		Heartbeat: r.duration("HEARTBEAT", 15*time.Second), DedupWindow: r.duration("DEDUP_WINDOW", time.Hour), Retention: r.duration("RETENTION", 30*24*time.Hour),
		Refresh:  r.duration("JWT_REFRESH", time.Minute),
		Currency: cmp.Or(env("CURRENCY"), "EUR"), Fleet: r.count("FLEET"),
		Strict: r.yes("STRICT"), Dev: env("AUTH") == "dev"}
	for origin := range strings.FieldsSeq(strings.ReplaceAll(env("ALLOW_ORIGIN"), ",", " ")) {
		r.keep("ALLOW_ORIGIN", httpapi.CheckOrigin(origin))
		c.Origins = append(c.Origins, origin)
	}
	c.DedupWindow = min(c.DedupWindow, c.Retention) // A receipt "duplicate" must not name a purged event.
	var err error
	c.Location, err = zone.Load(env("TIME_ZONE"))
	r.keep("TIME_ZONE", err)
	if !event.IsCurrency(c.Currency) {
		r.keep("CURRENCY", fmt.Errorf("%q is no code of ISO 4217", c.Currency))
	}
	c.Tokens, err = identity.NewTokens(env("TOKEN_KEY"))
	r.keep("TOKEN_KEY", err)
	switch env("AUTH") {
	case "", "token":
	case "dev":
		if c.Origin != "" {
			r.keep("AUTH", errors.New("a gate signs nobody in: its broker does not know them"))
		}
	case "jwt":
		issuer := identity.IssuerConfig{Issuer: env("JWT_ISSUER"), Audience: env("JWT_AUDIENCE"), JWKSURL: env("JWT_JWKS"),
			Cookie: env("JWT_COOKIE"), CookieDomain: env("JWT_COOKIE_DOMAIN"),
			RolesClaim: env("JWT_ROLES_CLAIM"), EmployeeClaim: env("JWT_EMPLOYEE_CLAIM")}.WithDefaults(log)
		if c.Origin == "" {
			issuer.TenantClaim = cmp.Or(env("JWT_TENANT_CLAIM"), "tenant")
		}
		r.keep("JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS or JWT_COOKIE_DOMAIN", issuer.Check())
		c.Issuer = identity.NewIssuer(issuer)
	default:
		r.keep("AUTH", fmt.Errorf("%q is none of token, dev and jwt", env("AUTH")))
	}
	return c, r.err
}

// A reader reads variables and keeps the first fault.
type reader struct {
	env func(string) string
	err error
}

func (r *reader) keep(name string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("the variable %s: %w", name, err)
	}
}

func (r *reader) duration(name string, absent time.Duration) time.Duration {
	text := r.env(name)
	if text == "" {
		return absent
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is no time to wait", text)
	}
	r.keep(name, err)
	return d
}

func (r *reader) count(name string) int {
	text := cmp.Or(r.env(name), "0")
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = fmt.Errorf("%d is negative", n)
	}
	r.keep(name, err)
	return n
}

func (r *reader) yes(name string) bool {
	text := r.env(name)
	if text != "" && text != "true" && text != "false" {
		r.keep(name, fmt.Errorf("%q is neither true nor false", text))
	}
	return text == "true"
}

// rememberedIDs keeps within the memory of an object.
const rememberedIDs = 1 << 15

// hub is the configuration of a hub, without its log.
func (c Config) hub() hub.Config {
	return hub.Config{Logger: c.Logger, Heartbeat: c.Heartbeat, Location: c.Location, Currency: c.Currency,
		Fleet: c.Fleet, Strict: c.Strict, DedupWindow: c.DedupWindow, MaxRememberedIDs: rememberedIDs, TrustClock: true}
}
