package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/jetlog"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry"
	"github.com/snd-rental/yardline/broker/webui"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// Config is how a broker runs. The zero value of every field but Data is
// good.
type Config struct {
	Listen      string // 127.0.0.1:8080; port 0 picks a free one
	DebugListen string // a loopback address for profiles and metrics; "": none
	Data        string // the data directory; required
	NATS        string // an external NATS server, in place of the embedded log
	NATSPrefix  string // of the names there, so that installations can share a server; YARDLINE
	Replicas    int    // on how many servers of its cluster a new log is kept, 1
	NewEpoch    bool   // give the log a new epoch: it was put back to an earlier state, unnoticed

	Auth   string                // dev
	Issuer identity.IssuerConfig // with Auth jwt

	TLSCert string         // a certificate's file, with TLSKey: HTTPS and HTTP/2
	TLSKey  string         // its key's file
	Origins []string       // whose pages may use the API beside our own, such as https://rental.example
	Proxies []netip.Prefix // of the proxies in front, whose X-Forwarded-For is believed
	Limits  httpapi.Limits //

	IdleTimeout time.Duration // how long a connection without a request is kept, 11 min; more than a balancer keeps it
	HSTS        time.Duration // the max-age of Strict-Transport-Security on port 443; 0 tells browsers to forget it

	PushContact string // an https or mailto address that push services may write to
	PushTest    bool   // take push endpoints on loopback; for tests, with Auth dev

	Demo     bool    // a demo company publishes
	DemoRate float64 // of its events a second, 1

	Strict      bool           // refuse unknown fields from every publisher
	Heartbeat   time.Duration  // 15 s
	DedupWindow time.Duration  // 1 h
	Retention   time.Duration  // how long events are kept, 30 days
	Location    *time.Location // of the installation, UTC
	Currency    string         // of the installation, EUR
	Fleet       int            // how many units it rents out; 0: unknown, and no utilisation
	Logger      *slog.Logger   // nil: none
}

// minWindow is the shortest deduplication window that the log takes.
const minWindow = 100 * time.Millisecond

// Who may sign in.
const (
	AuthDev   = "dev"   // anybody as a demo user, on loopback alone
	AuthUsers = "users" // the users of the users file
	AuthJWT   = "jwt"   // nobody here: an identity provider's tokens are taken
)

// A Misuse is a fault in the configuration: nothing was started.
type Misuse struct{ Reason string }

func (m *Misuse) Error() string { return m.Reason }

// ErrReopen means that the log got another epoch: an operator put it back to an
// earlier state, or another broker gave it a new one.
var ErrReopen = errors.New("broker: the log is not what it was")

// A Broker is one running installation. Close it after Run.
type Broker struct {
	c        Config
	log      eventlog.Log
	reopen   <-chan struct{} // closed when the log is not what it was
	hub      *hub.Hub
	push     *push.Service
	api      *httpapi.API
	tokens   *identity.Tokens
	issuer   *identity.Issuer // nil without one
	listener net.Listener
	server   *http.Server

	certificate *certificate // nil without TLS

	debug    *debugServer // nil without one
	draining atomic.Bool
}

// New opens the log and the listener. An error that is a *Misuse is one of
// the configuration.
func New(ctx context.Context, c Config) (_ *Broker, err error) {
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	c.Auth = cmp.Or(c.Auth, AuthDev)
	c.PushContact = cmp.Or(c.PushContact, push.Placeholder)
	c.Location = cmp.Or(c.Location, time.UTC)
	c.Retention = cmp.Or(c.Retention, 30*24*time.Hour)
	c.DedupWindow = cmp.Or(c.DedupWindow, time.Hour)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Retention > 0 && c.Retention < c.DedupWindow { // A receipt "duplicate" must not name a purged event.
		c.Logger.Info("ids are remembered as long as events are kept", "retention", c.Retention, "dedup_window",
			c.DedupWindow)
		c.DedupWindow = max(c.Retention, minWindow)
	}
	c.Issuer = c.Issuer.WithDefaults(c.Logger)
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := datadir.Recover(c.Data); err != nil {
		return nil, &Misuse{err.Error()}
	}
	b := &Broker{c: c}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	if b.tokens, err = identity.OpenTokens(c.Data); err != nil {
		return nil, &Misuse{err.Error()}
	}
	authority, err := b.authority()
	if err != nil {
		return nil, err
	}
	if b.listener, err = listen(ctx, c.Listen); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", c.Listen, err)
	}
	log, err := jetlog.Open(ctx, jetlog.Config{Dir: c.Data, URL: c.NATS, Prefix: c.NATSPrefix,
		Owner: b.tokens.Fingerprint(), NewEpoch: c.NewEpoch,
		Replicas: c.Replicas, Window: c.DedupWindow, Logger: c.Logger})
	if err != nil && (c.NATS == "" || errors.Is(err, jetlog.ErrForeign)) {
		return nil, &Misuse{err.Error()}
	}
	if err != nil {
		return nil, err
	}
	b.log, b.reopen = log, log.EpochChanged()
	installation, err := identity.Installation(ctx, log)
	if err != nil {
		return nil, err
	}
	authority.Sessions = identity.NewSessions(log, installation, httpapi.SecureCookie)
	var tlsConfig *tls.Config
	if c.TLSCert != "" {
		if b.certificate, err = openCertificate(c.TLSCert, c.TLSKey, c.Logger); err != nil {
			return nil, &Misuse{err.Error()}
		}
		tlsConfig = &tls.Config{GetCertificate: b.certificate.get, MinVersion: tls.VersionTLS12}
	}
	metrics := telemetry.New()
	b.hub = hub.New(hub.Config{Log: log, Logger: c.Logger, Heartbeat: c.Heartbeat, Location: c.Location,
		Currency: c.Currency, Fleet: c.Fleet, Strict: c.Strict,
		Observer: metrics, Window: c.DedupWindow})
	metrics.Watch(b.hub, log)
	if b.issuer != nil {
		metrics.WatchIssuer(b.issuer.Trouble)
	}
	pushes := push.Config{Log: log, Contact: c.PushContact, Location: c.Location, Logger: c.Logger, Shared: c.NATS != "", Observer: metrics, Test: c.PushTest}
	if authority.Directory != nil {
		pushes.Still = authority.Still
	}
	if b.push, err = push.New(ctx, pushes); err != nil {
		return nil, err
	}
	b.logWarnings()
	b.api = httpapi.New(httpapi.Config{
		Warnings: b.warnings,

		Hub: b.hub, Log: log, Authority: authority, Push: b.push, Wishes: b.push, UI: webui.Handler(), Report: metrics, Metrics: metrics.Handler(c.Logger), Logger: c.Logger,
		Draining: b.draining.Load, HSTS: c.HSTS, Loopback: c.Auth == AuthDev, Origins: c.Origins,
		Proxies: c.Proxies, Limits: c.Limits,
	})
	if c.DebugListen != "" {
		if b.debug, err = openDebug(c.DebugListen, metrics.Handler(c.Logger)); err != nil {
			return nil, err
		}
	}
	b.server = &http.Server{Handler: b.api, TLSConfig: tlsConfig, ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:    c.IdleTimeout,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug)}
	return b, nil
}

// authority is who may, by the configuration; its sessions are still to come.
func (b *Broker) authority() (*identity.Authority, error) {
	a := &identity.Authority{Tokens: b.tokens, Shared: b.c.NATS != ""}
	var err error
	switch b.c.Auth {
	case AuthDev:
		a.Directory = identity.Demo{}
	case AuthUsers:
		if a.Directory, err = identity.OpenUsers(identity.UsersPath(b.c.Data)); err != nil {
			return nil, &Misuse{err.Error()}
		}
	case AuthJWT:
		b.issuer = identity.OpenIssuer(b.c.Issuer)
		a.Issuer = b.issuer
	}
	return a, nil
}

// check refuses what must not run.
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

func (c Config) checkAddresses() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return &Misuse{fmt.Sprintf("--listen %q is no address such as 127.0.0.1:8080", c.Listen)}
	}
	if c.Auth == AuthDev && !isLoopback(c.Listen) {
		return &Misuse{fmt.Sprintf("--auth dev lets anybody sign in as anybody, so it listens on loopback only, not on %q: use --listen 127.0.0.1:8080", c.Listen)}
	}
	if c.DebugListen != "" && !isLoopback(c.DebugListen) {
		return &Misuse{fmt.Sprintf("--debug-listen has no sign-in, so it listens on loopback only, not on %q: use 127.0.0.1:6060", c.DebugListen)}
	}
	return nil
}

// isLoopback tells whether an address to listen on is of this machine alone.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopback.Name(host)
}

// Address is where the broker listens, as Config.Listen with the port that it got.
func (b *Broker) Address() string {
	host, _, _ := net.SplitHostPort(b.c.Listen)                 // checked
	_, port, _ := net.SplitHostPort(b.listener.Addr().String()) // our own listener's address parses
	return net.JoinHostPort(host, port)
}

// CreateToken signs a bearer token of this installation.
func (b *Broker) CreateToken(g access.Grant, ttl time.Duration) (string, error) {
	return b.tokens.Mint(g, ttl)
}

// drainTime bounds how long streams may take to end.
const drainTime = 3 * time.Second

// Run serves until ctx ends; then readiness fails, streams are told to come
// back later, and the state is stored. It returns within five seconds of
// that, nil where all went well, and ErrReopen where the broker is to be closed and
// made anew.
func (b *Broker) Run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 1) // of the server, which fails once
	var all sync.WaitGroup
	all.Go(func() { b.runHub(inner) })
	all.Go(func() { b.forget(inner) })
	all.Go(func() { b.api.Run(inner) })
	all.Go(func() { b.push.Run(inner) })
	if b.debug != nil {
		all.Go(func() { b.debug.run(inner) })
	}
	if b.c.Demo {
		all.Go(func() { b.runDemo(inner) })
	}
	all.Go(func() {
		var err error
		if b.server.TLSConfig != nil {
			err = b.server.ServeTLS(b.listener, "", "") // the certificate is in the configuration
		} else {
			err = b.server.Serve(b.listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
	var err error
	select {
	case <-ctx.Done():
	case <-b.reopen:
		err = ErrReopen
	case err = <-failed:
	}
	b.draining.Store(true)
	b.hub.Drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if b.server.Shutdown(grace) != nil {
		b.server.Close() // who did not take the goodbye is cut
	}
	b.api.Shutdown(grace)
	stop()
	all.Wait()
	return err
}

// Close stops the log and frees the address. It may be called after a failed
// New too.
func (b *Broker) Close() error {
	var err error
	if b.listener != nil { // Run has closed it, where it ran
		if closed := b.listener.Close(); !errors.Is(closed, net.ErrClosed) {
			err = closed
		}
	}
	if b.issuer != nil {
		b.issuer.Close()
	}
	if b.debug != nil {
		err = errors.Join(err, b.debug.Close())
	}
	if b.log != nil {
		err = errors.Join(err, b.log.Close())
	}
	return err
}
