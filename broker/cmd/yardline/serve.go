package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/shared/access"
)

func serve(env environment) *ffcli.Command {
	fs := flags("yardline serve")
	var c broker.Config
	fs.StringVar(&c.Listen, "listen", "127.0.0.1:8080", "the `address` to listen on; port 0 picks a free one")
	fs.StringVar(&c.Data, "data", "./data", "the `directory` of the event log and the token key")
	fs.StringVar(&c.Auth, "auth", broker.AuthDev, "`who` may sign in: dev (anybody as a demo user, on loopback only)")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "the `file` of a TLS certificate, PEM; read again when it changes")
	fs.StringVar(&c.TLSKey, "tls-key", "", "the `file` of its key, PEM")
	fs.StringVar(&c.NATS, "nats", "", "the `URL` of a NATS server with JetStream, in place of the embedded log")
	fs.BoolVar(&c.Demo, "demo", false, "let a made-up company publish events")
	fs.Float64Var(&c.DemoRate, "demo-rate", 1, "how many `events` a second the demo company publishes")
	fs.DurationVar(&c.Heartbeat, "heartbeat", 15*time.Second, "how often a quiet stream is given a sign of life")
	fs.DurationVar(&c.DedupWindow, "dedup-window", time.Hour, "how long the same id is stored once; each remembered id costs about 100 bytes of memory")
	fs.DurationVar(&c.Retention, "retention", 30*24*time.Hour, "how long events are kept; the state outlives them")
	origins := fs.String("allow-origin", "", "other `origins` whose pages may use the API, comma separated, such as https://rental.example")
	zone := fs.String("time-zone", "UTC", "the installation's `zone`, for what is today, such as Europe/Berlin")
	fs.StringVar(&c.Currency, "currency", "EUR", "the installation's `currency`, by ISO 4217")
	level := fs.String("log-level", "info", "the least `level` that is logged: debug, info, warn or error")
	asJSON := fs.Bool("json", false, "print where it listens and a token as a line of JSON")
	return &ffcli.Command{
		Name: "serve", ShortUsage: "yardline serve [flags]", ShortHelp: "run the broker and the app", FlagSet: fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("serve takes no arguments, only flags: %q", args[0])}
			}
			var err error
			if c.Location, err = time.LoadLocation(*zone); err != nil {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown --time-zone %q: use a name such as Europe/Berlin", *zone)}
			}
			for origin := range strings.SplitSeq(*origins, ",") {
				if origin = strings.TrimSpace(origin); origin != "" {
					c.Origins = append(c.Origins, origin)
				}
			}
			var l slog.Level
			if err := l.UnmarshalText([]byte(*level)); err != nil {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown --log-level %q: use debug, info, warn or error", *level)}
			}
			c.Logger = slog.New(slog.NewTextHandler(env.err, &slog.HandlerOptions{Level: l}))
			return serveUntil(ctx, c, env, *asJSON)
		},
	}
}

// serveUntil runs a broker until ctx ends.
func serveUntil(ctx context.Context, c broker.Config, env environment, asJSON bool) (err error) {
	b, err := broker.New(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	if err := announce(b, env, asJSON); err != nil {
		return err
	}
	return b.Run(ctx)
}

// welcomeTTL is how long the token lives that serve prints: a day's work.
const welcomeTTL = 24 * time.Hour

// announce says where the broker is and how to publish a first event. The
// token is for trying things out with dev sign-in, which needs none anyway.
func announce(b *broker.Broker, env environment, asJSON bool) error {
	g, err := access.NewGrant("first-steps", "First steps", []access.Role{access.Service, access.Manager}, 0)
	if err != nil {
		return err
	}
	token, err := b.MintToken(g, welcomeTTL)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(env.out).Encode(map[string]string{"url": b.URL(), "token": token})
	}
	fmt.Fprintf(env.out, `Yardline is at %[1]s  (stop with Ctrl-C)

Publish a first event:

  curl -X POST %[1]s/api/sse -H 'Content-Type: application/json' -H 'Authorization: Bearer %[2]s' -d '{"type":"rental_status_updated","data":{"rental_id":123,"status":"completed","notes":"Equipment returned in good condition"}}'

Watch events come in:

  curl -N %[1]s/api/sse -H 'Authorization: Bearer %[2]s'

`, b.URL(), token)
	return nil
}
