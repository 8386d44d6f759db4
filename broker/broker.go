package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/snd-rental/yardline/broker/datadir"
	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/jetlog"
	"github.com/snd-rental/yardline/broker/fanout"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/push"
	"github.com/snd-rental/yardline/broker/telemetry"
	"github.com/snd-rental/yardline/broker/webui"
	"github.com/snd-rental/yardline/shared/access"
)

// ErrReopen means that the log got another epoch: an operator put the log back to
// an earlier state, or another broker gave it a new epoch. The caller should close
// the broker and make a new one.
var ErrReopen = errors.New("broker: the log is not what it was")

// Broker is one running installation. The caller calls Run at most once, and
// Close after it.
type Broker struct {
	c        Config
	log      eventlog.Log
	reopen   <-chan struct{} // closed when the log has got another epoch
	hub      *hub.Hub
	push     *push.Service
	fanout   *fanout.Writer // nil where the system has none
	api      *httpapi.API
	tokens   *identity.Tokens
	issuer   *identity.Issuer // nil without an identity provider
	listener net.Listener
	server   *http.Server

	certificate *certificate // nil without TLS

	debug    *debugServer // nil without Config.DebugListen
	draining atomic.Bool  // set when Run begins to stop
}

// New opens the data directory, the listener and the log. It serves nothing
// before Run is called. A fault in the configuration is a *Misuse.
func New(ctx context.Context, c Config) (_ *Broker, err error) {
	c = c.withDefaults()
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
	if err := b.openLog(ctx); err != nil {
		return nil, err
	}
	installation, err := identity.InstallationID(ctx, b.log)
	if err != nil {
		return nil, err
	}
	authority.Sessions = identity.NewStoredSessions(b.log, installation, httpapi.NeedsSecureCookie)
	if c.TLSCert != "" {
		if b.certificate, err = openCertificate(c.TLSCert, c.TLSKey, c.Logger); err != nil {
			return nil, &Misuse{err.Error()}
		}
	}
	metrics := telemetry.New()
	b.openHub(metrics)
	if b.fanout, err = fanout.New(fanout.Config{Hub: b.hub, Logger: c.Logger}); err != nil &&
		!errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	if err := b.openPush(ctx, authority, metrics); err != nil {
		return nil, err
	}
	b.logWarnings()
	if err := b.openServers(authority, metrics); err != nil {
		return nil, err
	}
	return b, nil
}

// authority returns the Authority of the broker without its Sessions. The caller must
// set them.
func (b *Broker) authority() (*identity.Authority, error) {
	a := &identity.Authority{Tokens: b.tokens, SharedSessions: b.c.NATS != ""}
	var err error
	switch b.c.Auth {
	case AuthDev:
		a.Directory = identity.DemoDirectory{}
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

// openLog opens the event log. An error is a *Misuse unless an external server is
// the likely cause, because the server may be reachable later.
func (b *Broker) openLog(ctx context.Context) error {
	log, err := jetlog.Open(ctx, jetlog.Config{
		Dir:         b.c.Data,
		URL:         b.c.NATS,
		Prefix:      b.c.NATSPrefix,
		Owner:       b.tokens.Fingerprint(),
		NewEpoch:    b.c.NewEpoch,
		Replicas:    b.c.Replicas,
		DedupWindow: b.c.DedupWindow,
		Logger:      b.c.Logger,
	})
	if err != nil && (b.c.NATS == "" || errors.Is(err, jetlog.ErrForeign)) {
		return &Misuse{err.Error()}
	}
	if err != nil {
		return err
	}
	b.log, b.reopen = log, log.EpochChanged()
	return nil
}

// openHub makes the hub, and lets the metrics observe it.
func (b *Broker) openHub(metrics *telemetry.Metrics) {
	b.hub = hub.New(hub.Config{
		Log:       b.log,
		Logger:    b.c.Logger,
		Heartbeat: b.c.Heartbeat,
		Location:  b.c.Location,
		Currency:  b.c.Currency,
		Fleet:     b.c.Fleet,
		Strict:    b.c.Strict,
		Observer:  metrics,
	})
	metrics.Watch(b.hub, b.log)
	if b.issuer != nil {
		metrics.WatchIssuer(b.issuer.KeysError)
	}
}

// openPush opens the push service.
func (b *Broker) openPush(ctx context.Context, authority *identity.Authority, metrics *telemetry.Metrics) error {
	c := push.Config{
		Log:           b.log,
		Contact:       b.c.PushContact,
		Location:      b.c.Location,
		Logger:        b.c.Logger,
		SharedLog:     b.c.NATS != "",
		Observer:      metrics,
		AllowLoopback: b.c.PushTest,
	}
	if authority.Directory != nil {
		c.CurrentGrant = authority.CurrentGrant
	}
	var err error
	b.push, err = push.New(ctx, c)
	return err
}

// Bounds of one request to the server.
const (
	headerTimeout  = 10 * time.Second // for the headers of a request
	maxHeaderBytes = 32 << 10
)

// openServers makes the HTTP API, its server and the debug server.
func (b *Broker) openServers(authority *identity.Authority, metrics *telemetry.Metrics) (err error) {
	b.api = httpapi.New(httpapi.Config{
		Warnings:     b.warnings,
		Hub:          b.hub,
		Log:          b.log,
		Authority:    authority,
		Push:         b.push,
		Fanout:       b.fanout,
		Preferences:  b.push,
		UI:           webui.Handler(),
		Reporter:     metrics,
		Metrics:      metrics.Handler(b.c.Logger),
		Logger:       b.c.Logger,
		IsDraining:   b.draining.Load,
		HSTS:         b.c.HSTS,
		GzipStreams:  b.c.GzipStreams,
		LoopbackOnly: b.c.Auth == AuthDev,
		Origins:      b.c.Origins,
		Proxies:      b.c.Proxies,
		Limits:       b.c.Limits,
	})
	if b.c.DebugListen != "" {
		if b.debug, err = openDebug(b.c.DebugListen, metrics.Handler(b.c.Logger)); err != nil {
			return err
		}
	}
	b.server = &http.Server{
		Handler:           b.api,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       b.c.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(b.c.Logger.Handler(), slog.LevelDebug),
	}
	if b.certificate != nil {
		b.server.TLSConfig = &tls.Config{GetCertificate: b.certificate.get, MinVersion: tls.VersionTLS12}
	}
	return nil
}

// Address returns the address that the broker listens on: Config.Listen, with the
// port that the listener got.
func (b *Broker) Address() string {
	host, _, _ := net.SplitHostPort(b.c.Listen)                 // checkAddresses has split it
	_, port, _ := net.SplitHostPort(b.listener.Addr().String()) // a listener's own address parses
	return net.JoinHostPort(host, port)
}

// CreateToken signs a bearer token of this installation. The token expires after
// ttl.
func (b *Broker) CreateToken(g access.Grant, ttl time.Duration) (string, error) {
	return b.tokens.Create(g, ttl)
}

// drainTime bounds how long streams may take to end.
const drainTime = 3 * time.Second

// Run serves until ctx ends. Then GET /readyz fails, the broker asks the client of
// every stream to reconnect later, and it stores the state. Run returns within five
// seconds after the end of ctx. It returns nil after a regular end, and ErrReopen when the caller should
// make a new broker.
func (b *Broker) Run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var parts sync.WaitGroup
	parts.Go(func() { b.runHub(inner) })
	parts.Go(func() { b.purgeOldEvents(inner) })
	parts.Go(func() { b.api.Run(inner) })
	parts.Go(func() { b.push.Run(inner) })
	if b.debug != nil {
		parts.Go(func() { b.debug.run(inner) })
	}
	if b.c.Demo {
		parts.Go(func() { b.runDemo(inner) })
	}
	failed := make(chan error, 1) // one place, because the server fails at most once
	parts.Go(func() {
		if err := b.serve(); !errors.Is(err, http.ErrServerClosed) {
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
	b.drain(ctx)
	stop()
	parts.Wait()
	return err
}

// serve serves HTTP or HTTPS until the server is shut down.
func (b *Broker) serve() error {
	if b.server.TLSConfig != nil {
		return b.server.ServeTLS(b.listener, "", "") // TLSConfig has the certificate
	}
	return b.server.Serve(b.listener)
}

// drain ends the streams, and closes the connections that are still open after drainTime.
func (b *Broker) drain(ctx context.Context) {
	b.draining.Store(true)
	b.hub.Drain()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if b.server.Shutdown(grace) != nil {
		b.server.Close()
	}
	b.api.Shutdown(grace)
}

// Close closes the log, the listener and the other resources that New has opened. It
// may also be called without Run.
func (b *Broker) Close() error {
	var err error
	if b.listener != nil {
		// Run has closed the listener already.
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
	if b.fanout != nil {
		err = errors.Join(err, b.fanout.Close())
	}
	if b.log != nil {
		err = errors.Join(err, b.log.Close())
	}
	return err
}
