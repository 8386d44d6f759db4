package broker

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog/jetlog"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/shared/event"
)

// Config configures a [Broker]. Only Data is required.
type Config struct {
	// Listen is the address to listen on, as host:port. Port 0 picks a free port.
	// With AuthDev the address must be a loopback address. Defaults to
	// 127.0.0.1:8080.
	Listen string
	// DebugListen is a loopback address for profiles and metrics, which are served
	// there without authentication. "" disables them.
	DebugListen string
	// Data is the data directory. It is required.
	Data string

	// NATS is the URL of an external NATS server that keeps the log. "" keeps the
	// log in the data directory, with an embedded server.
	NATS string
	// NATSPrefix begins the names of the stream and the store at an external
	// server, so that several installations can share the server. Defaults to
	// jetlog.DefaultPrefix.
	NATSPrefix string
	// Replicas is the number of servers that keep a new external log. Defaults to
	// 1.
	Replicas int
	// NewEpoch gives the log a new epoch when it is opened. An operator sets it
	// after the log was put back to an earlier state in a way that the broker
	// cannot notice.
	NewEpoch bool

	// Auth selects how users sign in: AuthDev, AuthUsers or AuthJWT. Defaults to
	// AuthDev.
	Auth string
	// Issuer configures the identity provider. Only AuthJWT uses it.
	Issuer identity.IssuerConfig

	// TLSCert is the file of a certificate in PEM. With it the broker serves HTTPS
	// and HTTP/2. It must be set exactly when TLSKey is. "" serves plain HTTP.
	TLSCert string
	// TLSKey is the file of the certificate's private key in PEM.
	TLSKey string
	// GzipStreams compresses the streams of clients that accept gzip. A publisher
	// who can also measure the sizes of a user's encrypted stream could then guess
	// fields of events that come at the same time. Defaults to false.
	GzipStreams bool
	// Origins are the other origins, such as https://rental.example, whose pages may
	// use the API.
	Origins []string
	// Proxies are the networks of the proxies in front of the broker. The broker
	// believes the X-Forwarded-For of their requests.
	Proxies []netip.Prefix
	// Limits bounds what clients may use. Each zero field has its own default.
	Limits httpapi.Limits
	// IdleTimeout is how long the server keeps a connection without a request. It
	// should be longer than a load balancer in front keeps the connection. Defaults
	// to DefaultIdleTimeout.
	IdleTimeout time.Duration
	// HSTS is the max-age of Strict-Transport-Security on port 443. 0 makes browsers
	// forget an earlier max-age.
	HSTS time.Duration

	// PushContact is an https or mailto address that the operators of push services
	// may write to. Defaults to push.PlaceholderContact, which some push services refuse.
	PushContact string
	// PushTest accepts push endpoints on this machine, also without TLS. It is for
	// tests, and requires AuthDev.
	PushTest bool

	// Demo makes a made-up company publish events.
	Demo bool
	// DemoRate is the number of events that the demo company publishes a second.
	// Defaults to 1.
	DemoRate float64

	// Strict refuses unknown fields in the events of every publisher, and requires
	// the fields that are marked strict.
	Strict bool
	// Heartbeat is the time between two heartbeats of a quiet stream. Defaults to 15
	// seconds.
	Heartbeat time.Duration
	// DedupWindow is how long the log remembers the ids of events, to store an event
	// that is sent again only once. It is at most Retention. Defaults to one hour.
	DedupWindow time.Duration
	// Retention is how long events are kept. Defaults to 30 days.
	Retention time.Duration
	// Location is the time zone of the installation. Defaults to UTC.
	Location *time.Location
	// Currency is the installation's currency, a code of ISO 4217. Amounts that name
	// no currency are in it. Defaults to EUR.
	Currency string
	// Fleet is the number of units that the installation rents out. 0 means that it
	// is unknown. The snapshot then has no figure of utilisation.
	Fleet int
	// Logger writes the broker's log. nil disables the log.
	Logger *slog.Logger
}

// Values of [Config].Auth.
const (
	AuthDev   = "dev"   // anybody may sign in as any demo user, on loopback only
	AuthUsers = "users" // the users of the users file sign in with a password
	AuthJWT   = "jwt"   // the broker accepts tokens of an identity provider, and signs no users in itself
)

// defaultRetention is the default of Config.Retention.
const defaultRetention = 30 * 24 * time.Hour

// minWindow is the shortest deduplication window that the log accepts.
const minWindow = 100 * time.Millisecond

// Misuse is the error for a fault in the configuration. The broker has started
// nothing.
type Misuse struct {
	// Reason is a sentence for the operator that names the fault.
	Reason string
}

// Error implements error.
func (m *Misuse) Error() string { return m.Reason }

// withDefaults returns c with the defaults of the fields that the broker itself
// uses. The other fields have their defaults in the packages that use them.
func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	c.Auth = cmp.Or(c.Auth, AuthDev)
	c.PushContact = cmp.Or(c.PushContact, push.PlaceholderContact)
	c.Location = cmp.Or(c.Location, time.UTC)
	c.Retention = cmp.Or(c.Retention, defaultRetention)
	c.DedupWindow = cmp.Or(c.DedupWindow, time.Hour)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	// A receipt that says "duplicate" must not name an event that was purged.
	if c.Retention > 0 && c.Retention < c.DedupWindow {
		c.Logger.Info("ids are remembered as long as events are kept", "retention", c.Retention, "dedup_window",
			c.DedupWindow)
		c.DedupWindow = max(c.Retention, minWindow)
	}
	c.Issuer = c.Issuer.WithDefaults(c.Logger)
	return c
}

// check returns a *Misuse for a configuration that the broker must not run with.
func (c Config) check() error {
	if c.Data == "" {
		return &Misuse{"a data directory is needed: --data ./data"}
	}
	switch c.Auth {
	case AuthDev, AuthUsers:
	case AuthJWT:
		if err := c.Issuer.Check(); err != nil {
			return &Misuse{err.Error()}
		}
	default:
		return &Misuse{fmt.Sprintf("unknown --auth %q: use dev, users or jwt", c.Auth)}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return &Misuse{"--tls-cert and --tls-key belong together"}
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if c.Currency != "" && !event.IsCurrency(c.Currency) {
		return &Misuse{fmt.Sprintf("unknown --currency %q: use a code of ISO 4217 such as EUR", c.Currency)}
	}
	if err := push.CheckContact(c.PushContact); err != nil {
		return &Misuse{"--push-contact: " + err.Error()}
	}
	if c.PushTest && c.Auth != AuthDev {
		return &Misuse{"--push-test lets the broker call this machine, so it goes with --auth dev alone"}
	}
	for _, origin := range c.Origins {
		if err := httpapi.CheckOrigin(origin); err != nil {
			return &Misuse{"--allow-origin: " + err.Error()}
		}
	}
	if c.NATSPrefix != "" && !jetlog.ValidPrefix(c.NATSPrefix) {
		return &Misuse{fmt.Sprintf("--nats-prefix %q: use up to 32 letters, digits, _ and -", c.NATSPrefix)}
	}
	return c.checkAmounts()
}

// checkAddresses returns a *Misuse for an address that is malformed or that other
// machines must not reach.
func (c Config) checkAddresses() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return &Misuse{fmt.Sprintf("--listen %q is no address such as 127.0.0.1:8080", c.Listen)}
	}
	if c.Auth == AuthDev && !isLoopback(c.Listen) {
		return &Misuse{fmt.Sprintf("--auth dev lets anybody sign in as anybody, so it listens on loopback only, "+
			"not on %q: use --listen 127.0.0.1:8080", c.Listen)}
	}
	if c.DebugListen != "" && !isLoopback(c.DebugListen) {
		return &Misuse{fmt.Sprintf("--debug-listen has no sign-in, so it listens on loopback only, not on %q: "+
			"use 127.0.0.1:6060", c.DebugListen)}
	}
	return nil
}

// checkAmounts returns a *Misuse for a negative number or duration.
func (c Config) checkAmounts() error {
	if c.DemoRate < 0 || c.Limits.PublishRate < 0 {
		return &Misuse{"--demo-rate and --publish-rate must not be negative"}
	}
	if c.Limits.Connections < 0 || c.Replicas < 0 || c.Fleet < 0 {
		return &Misuse{"--max-connections, --nats-replicas and --fleet must not be negative"}
	}
	if c.IdleTimeout < 0 || c.HSTS < 0 {
		return &Misuse{"--idle-timeout and --hsts must not be negative"}
	}
	if c.Heartbeat < 0 || c.Retention < 0 || c.DedupWindow < 0 || c.Issuer.Refresh < 0 || c.Issuer.Skew < 0 {
		return &Misuse{"durations must not be negative"}
	}
	return nil
}
