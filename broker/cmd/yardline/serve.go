package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/broker/eventlog/jetlog"
	"github.com/snd-rental/yardline/broker/httpapi"
	"github.com/snd-rental/yardline/shared/access"
)

// serveFlags has the flags of serve. Most of them set a field of the configuration; the
// others need a conversion, which config does.
type serveFlags struct {
	set    *flag.FlagSet
	c      broker.Config
	asJSON bool

	proxies, origins, zone string
	logFormat, logLevel    string
}

// serveCommand returns the command that runs the broker.
func serveCommand(std standardStreams) *ffcli.Command {
	f := &serveFlags{set: commandFlags("yardline serve")}
	f.registerBroker()
	f.registerSignIn()
	f.registerServer()
	f.registerEvents()
	return &ffcli.Command{
		Name:       "serve",
		ShortUsage: "yardline serve [flags]",
		ShortHelp:  "run the broker and the app",
		FlagSet:    f.set,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("serve takes no arguments, only flags: %q", args[0])}
			}
			c, err := f.config(std)
			if err != nil {
				return err
			}
			return serveUntil(ctx, c, std, f.asJSON)
		},
	}
}

// registerBroker adds the flags for the broker's own data and log.
func (f *serveFlags) registerBroker() {
	fs, c := f.set, &f.c
	fs.StringVar(&c.Data, "data", "./data", "the `directory` of the event log and the token key")
	fs.StringVar(&c.NATS, "nats", "", "the `URL` of a NATS server with JetStream, in place of the embedded log")
	fs.StringVar(&c.NATSPrefix, "nats-prefix", jetlog.DefaultPrefix, "what the `names` of the stream and the store "+
		"at the NATS server begin with; each installation needs its own")
	fs.BoolVar(&c.NewEpoch, "new-epoch", false, "for one start after the log was put back to an earlier state in a "+
		"way that the broker cannot notice, such as an image: readers take the state anew")
	fs.IntVar(&c.Replicas, "nats-replicas", 1,
		"on how many servers of its cluster a new log is kept; three survive the loss of one")
	fs.StringVar(&f.logFormat, "log-format", "text", "the `form` of the log: text or json")
	fs.StringVar(&f.logLevel, "log-level", "info", "the least `level` that is logged: debug, info, warn or error")
	fs.BoolVar(&f.asJSON, "json", false, "print where it listens and a token as a line of JSON")
}

// registerSignIn adds the flags that say how users sign in.
func (f *serveFlags) registerSignIn() {
	fs, c := f.set, &f.c
	fs.StringVar(&c.Auth, "auth", broker.AuthDev, "`who` may sign in: dev (anybody as a demo user, on loopback only), "+
		"users (see yardline user), jwt (tokens of an identity provider)")
	fs.StringVar(&c.Issuer.Issuer, "jwt-issuer", "", "the `issuer` (iss) whose tokens are taken")
	fs.StringVar(&c.Issuer.Audience, "jwt-audience", "", "the `audience` (aud) that they must name")
	fs.StringVar(&c.Issuer.JWKSURL, "jwt-jwks", "", "the `URL` of the issuer's public keys")
	fs.DurationVar(&c.Issuer.Refresh, "jwt-refresh", time.Minute, "how often the keys are fetched")
	fs.DurationVar(&c.Issuer.Skew, "jwt-skew", time.Minute, "how far the issuer's clock may be off")
	fs.StringVar(&c.Issuer.Cookie, "jwt-cookie", "", "the `name` of a cookie that holds a token, beside bearer tokens")
	fs.StringVar(&c.Issuer.CookieDomain, "jwt-cookie-domain", "",
		"the `domain` that this cookie is set for, such as company.example, so that signing out can remove it")
	fs.StringVar(&c.Issuer.RolesClaim, "jwt-roles", "roles",
		"the `claim` with the roles: its name, or a path such as realm_access.roles")
	fs.StringVar(&c.Issuer.EmployeeClaim, "jwt-employee", "employee_id",
		"the `claim` with the employee id: its name, or a path")
}

// registerServer adds the flags for the server, its clients and the proxies in front.
func (f *serveFlags) registerServer() {
	fs, c := f.set, &f.c
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "the `address` to listen on; port 0 picks a free one")
	fs.StringVar(&c.DebugListen, "debug-listen", "",
		"a loopback `address` for profiles (/debug/pprof) and metrics, without sign-in")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "the `file` of a TLS certificate, PEM; read again when it changes")
	fs.StringVar(&c.TLSKey, "tls-key", "", "the `file` of its key, PEM")
	fs.DurationVar(&c.HSTS, "hsts", httpapi.DefaultHSTS,
		"with TLS on port 443, how long browsers use HTTPS alone for the name, on all its ports; 0 lets them forget it")
	fs.DurationVar(&c.IdleTimeout, "idle-timeout", broker.DefaultIdleTimeout,
		"how long a connection without a request is kept; longer than a balancer in front keeps it")
	fs.IntVar(&c.Limits.Connections, "max-connections", 10_000,
		"how many streams, WebSockets and long polls may be open")
	fs.Float64Var(&c.Limits.PublishRate, "publish-rate", 500,
		"how many `events` a second one token or session may publish; a user twice, an address four times as many")
	fs.StringVar(&f.proxies, "trusted-proxies", "", "the `networks` of proxies in front, comma separated, such as "+
		"10.0.0.0/8: their X-Forwarded-For is believed")
	fs.StringVar(&f.origins, "allow-origin", "",
		"other `origins` whose pages may use the API, comma separated, such as https://rental.example")
	fs.BoolVar(&c.GzipStreams, "gzip-streams", true,
		"compress the streams of clients that accept gzip; see docs/operations.md for what their sizes reveal")
	fs.StringVar(&c.PushContact, "push-contact", "", "an `address`, https://… or mailto:…, that push services may "+
		"write to; some refuse pushes without a real one")
	fs.BoolVar(&c.PushTest, "push-test", false,
		"for tests, with --auth dev: push to addresses of this machine too, also without TLS")
}

// registerEvents adds the flags for events and for the installation that they are about.
func (f *serveFlags) registerEvents() {
	fs, c := f.set, &f.c
	fs.BoolVar(&c.Strict, "strict", false,
		"refuse unknown fields from every publisher, and require what is marked strict")
	fs.BoolVar(&c.Demo, "demo", false, "let a made-up company publish events")
	fs.Float64Var(&c.DemoRate, "demo-rate", 1, "how many `events` a second the demo company publishes")
	fs.DurationVar(&c.Heartbeat, "heartbeat", 15*time.Second, "how often a quiet stream is given a sign of life")
	fs.DurationVar(&c.DedupWindow, "dedup-window", time.Hour,
		"how long the same id is stored once; each remembered id costs about 100 bytes of memory")
	fs.DurationVar(&c.Retention, "retention", 30*24*time.Hour, "how long events are kept; the state outlives them")
	fs.StringVar(&f.zone, "time-zone", "UTC", "the installation's `zone`, for what is today, such as Europe/Berlin")
	fs.StringVar(&c.Currency, "currency", "EUR",
		"the installation's `currency`, by ISO 4217: that of amounts that name none, with its decimals")
	fs.IntVar(&c.Fleet, "fleet", 0, "how many `units` the installation rents out, for the utilisation; 0 is unknown, "+
		"and with --demo the demo company's fleet")
}

// config returns the configuration that the flags describe.
func (f *serveFlags) config(std standardStreams) (c broker.Config, err error) {
	for _, name := range aboveZero {
		// In a Config 0 means the default, which is not the value that the operator wants.
		if value := f.set.Lookup(name).Value.String(); slices.Contains(notAboveZero, value) {
			return c, &broker.Misuse{Reason: fmt.Sprintf("--%s must be above 0, not %s", name, value)}
		}
	}
	c = f.c
	if c.Location, err = time.LoadLocation(f.zone); err != nil {
		return c, &broker.Misuse{Reason: fmt.Sprintf("--time-zone: no zone of the IANA time zone database is "+
			"called %q: use a name such as Europe/Berlin", f.zone)}
	}
	if c.Demo && c.Fleet == 0 {
		c.Fleet = demo.FleetSize
	}
	c.Origins = splitList(f.origins)
	for _, network := range splitList(f.proxies) {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return c, &broker.Misuse{
				Reason: fmt.Sprintf("--trusted-proxies: %q is no network such as 10.0.0.0/8", network),
			}
		}
		c.Proxies = append(c.Proxies, prefix)
	}
	c.Logger, err = newLogger(std, f.logLevel, f.logFormat)
	return c, err
}

// aboveZero names the flags of serve whose value must be above 0.
var aboveZero = []string{
	"retention", "dedup-window", "heartbeat", "idle-timeout", "jwt-refresh", "jwt-skew",
	"publish-rate", "demo-rate", "max-connections", "nats-replicas",
}

// notAboveZero has the texts of values that aboveZero forbids and that the flag package
// accepts: 0, and numbers that are no amount. Config refuses negative values.
var notAboveZero = []string{"0", "-0", "0s", "NaN", "+Inf"}

// splitList returns the items of a comma-separated list, without empty ones.
func splitList(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// newLogger returns a logger to standard error. level and format are the values of
// --log-level and --log-format.
func newLogger(std standardStreams, level, format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, &broker.Misuse{Reason: fmt.Sprintf("unknown --log-level %q: use debug, info, warn or error", level)}
	}
	o.Level = l
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(std.err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(std.err, o)), nil
	}
	return nil, &broker.Misuse{Reason: fmt.Sprintf("unknown --log-format %q: use text or json", format)}
}

// serveUntil runs a broker until ctx ends. When the log gets another epoch, it replaces
// the broker by a new one at the same address.
func serveUntil(ctx context.Context, c broker.Config, std standardStreams, asJSON bool) error {
	// The program that reads the broker's output may end before the broker does. With
	// SIGPIPE ignored, a write then returns an error. Otherwise it would end the broker.
	signal.Ignore(syscall.SIGPIPE)
	for announced := false; ; announced = true {
		b, err := broker.New(ctx, c)
		if err != nil {
			return err
		}
		if !announced {
			err = announce(b, std, c, asJSON)
		}
		if err == nil {
			err = b.Run(ctx)
		}
		c.Listen, c.NewEpoch = b.Address(), false
		if closed := b.Close(); err == nil {
			err = closed
		}
		if !errors.Is(err, broker.ErrReopen) {
			return err
		}
	}
}

// firstTokenTTL is the lifetime of the token that serve prints.
const firstTokenTTL = 24 * time.Hour

// firstEvent is the event of the example that announce prints.
const firstEvent = `{"type":"rental_status_updated","data":{"rental_id":123,"status":"completed",` +
	`"notes":"Equipment returned in good condition"}}`

// announce prints the broker's URL. With AuthDev it also prints a token, and how to
// publish a first event with it. It prints no token otherwise, because the output may end
// up in a log.
func announce(b *broker.Broker, std standardStreams, c broker.Config, asJSON bool) error {
	if c.Auth != broker.AuthDev {
		if asJSON {
			return json.NewEncoder(std.out).Encode(map[string]string{"url": b.URL()})
		}
		fmt.Fprintf(std.out, "Yardline is at %s  (stop with Ctrl-C)\n"+
			"Sign a token for a back end: yardline token --user erp --roles service --data %s\n", b.URL(), c.Data)
		return nil
	}
	g, err := access.NewGrant("first-steps", "First steps", []access.Role{access.Service, access.Manager}, 0)
	if err != nil {
		return err
	}
	token, err := b.CreateToken(g, firstTokenTTL)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(std.out).Encode(map[string]string{"url": b.URL(), "token": token})
	}
	fmt.Fprintf(std.out, `Yardline is at %[1]s  (stop with Ctrl-C)

Publish a first event:

  curl -X POST %[1]s/api/sse -H 'Content-Type: application/json' -H 'Authorization: Bearer %[2]s' -d '%[3]s'

Watch events come in:

  curl -N %[1]s/api/sse -H 'Authorization: Bearer %[2]s'

`, b.URL(), token, firstEvent)
	return nil
}
