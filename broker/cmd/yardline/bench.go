package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/bench"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

// benchFlags has the flags of bench that are not fields of bench.Config.
type benchFlags struct {
	data, tokensFile string
	headers          repeatedFlag
	publishHeaders   repeatedFlag
	asJSON           bool
}

// benchCommand returns the command that loads a broker and measures it.
func benchCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline bench")
	var c bench.Config
	var f benchFlags
	registerBenchLoad(fs, &c)
	registerBenchTarget(fs, &c, &f)
	return &ffcli.Command{
		Name:       "bench",
		ShortUsage: "yardline bench [flags] URL",
		ShortHelp:  "load a broker and measure what streams and events cost it",
		FlagSet:    fs,
		LongHelp: `  yardline serve --data /tmp/trial --publish-rate 100000
  yardline bench --data /tmp/trial --pid $(pidof yardline) --subscribers 5000 http://127.0.0.1:8080

Opens subscribers, publishes events, and reports losses, order, delays, and what the server's
process used. Never load a broker that people work with: the events are real, and stay in its log.

With --rate, events come at that rate. Without it, as many are on their way as --window allows,
which shows the most that the machine can do. With --events 0 the streams stay idle.

A broker accepts 100 streams for each token and 2,000 from each address. With --data, bench signs
as many tokens as it needs, for users of four roles; with --tokens, it reads them from a file.
If the broker is on 127.0.0.1, the streams come from several loopback addresses.

With --gzip it decodes 50 streams, and counts only the bytes of the others, because decoding all
of them would cost more than the broker's work.

Any server that streams over plain HTTP can be measured: name its addresses with --subscribe and
--publish and an event of its own with --body. bench needs Linux.`,
		Exec: func(ctx context.Context, args []string) error {
			address, err := oneArgument(fs, args, "the URL of a broker")
			if err != nil {
				return err
			}
			if err := f.complete(&c, address); err != nil {
				return err
			}
			c.Progress = func(step string) { fmt.Fprintln(std.err, "yardline:", step) }
			report, err := bench.Run(ctx, c)
			if err != nil {
				return describeBenchError(err)
			}
			if f.asJSON {
				err = json.NewEncoder(std.out).Encode(report)
			} else {
				err = report.WriteText(std.out)
			}
			return cmp.Or(err, benchFailure(report))
		},
	}
}

// registerBenchLoad adds the flags that say how much load there is.
func registerBenchLoad(fs *flag.FlagSet, c *bench.Config) {
	fs.IntVar(&c.Subscribers, "subscribers", 1000, "how many `streams` to open")
	fs.IntVar(&c.Slow, "slow", 0, "how many `streams` read 1 KB a second; the results are without them")
	fs.IntVar(&c.Stalled, "stall", 0, "how many `streams` never read; the results are without them")
	fs.IntVar(&c.Addresses, "addresses", 0, "how many loopback `addresses` the streams come from; 0 means one\n"+
		"for each 2,000 streams")
	fs.BoolVar(&c.Gzip, "gzip", false, "ask for compressed streams")
	fs.IntVar(&c.Events, "events", 400, "how many `events` to publish; 0 measures idle streams")
	fs.IntVar(&c.PayloadBytes, "size", 200, "the `bytes` of an event's text; at most 500 without a --body of your own")
	fs.IntVar(&c.Batch, "batch", 1, "how many `events` are in a request")
	fs.IntVar(&c.Publishers, "publishers", 2, "how many `connections` publish")
	fs.Float64Var(&c.Rate, "rate", 0, "how many `events` a second to publish; 0 means as many as the window allows")
	fs.IntVar(&c.Window, "window", 0, "how many `events` may be on their way to the subscribers; 0 means 16, and\n"+
		"any number with --rate or --batch; -1 means any number")
	fs.DurationVar(&c.Settle, "settle", time.Second, "how long to wait before the memory of idle streams is measured")
	fs.IntVar(&c.PID, "pid", 0, "the `process` of the server on this machine, to measure its CPU time and memory")
}

// registerBenchTarget adds the flags that say what is loaded.
func registerBenchTarget(fs *flag.FlagSet, c *bench.Config, f *benchFlags) {
	fs.StringVar(&f.data, "data", "", "the `directory` of the broker, to sign tokens with its key")
	fs.StringVar(&f.tokensFile, "tokens", "", "a `file` of the subscribers' tokens, one a line")
	fs.StringVar(&c.PublishToken, "token", "", "the `token` of the publishers, better in YARDLINE_TOKEN; subscribers\n"+
		"use it too if they have no other")
	fs.StringVar(&c.Subscribe, "subscribe", "", "the `URL` of the stream; defaults to /api/sse of the broker")
	fs.StringVar(&c.Publish, "publish", "", "the `URL` to post events to; defaults to /api/sse of the broker")
	fs.StringVar(&c.Body, "body", `{"type":"system_notification","data":{"message":"{{payload}}"}}`,
		"an event; {{payload}} stands for the text, {{seq}} for its number")
	fs.StringVar(&c.ContentType, "content-type", "", "the `type` of the body; defaults to that of an event or a batch")
	fs.Var(&f.headers, "header", "a `header` of all requests, such as 'Name: value'; may be repeated")
	fs.Var(&f.publishHeaders, "publish-header", "a `header` of requests that publish; may be repeated")
	fs.BoolVar(&f.asJSON, "json", false, "print the results as JSON")
}

// complete fills in the fields of c that follow from the flags and the broker's URL.
func (f *benchFlags) complete(c *bench.Config, address string) error {
	base := strings.TrimSuffix(address, "/")
	if c.Subscribe == "" {
		c.Subscribe = base + "/api/sse"
	}
	if c.Publish == "" {
		c.Publish = base + "/api/sse"
	}
	if c.ContentType == "" {
		c.ContentType = "application/json"
		if c.Batch > 1 {
			c.ContentType = "application/cloudevents-batch+json"
		}
	}
	switch {
	case c.Window < 0:
		c.Window = 0
	case c.Window == 0 && c.Rate == 0 && c.Batch <= 1:
		c.Window = defaultWindow
	}
	c.Headers, c.PublishHeaders = f.headers, f.publishHeaders
	switch {
	case f.data != "" && f.tokensFile != "":
		return &broker.Misuse{Reason: "--data and --tokens exclude each other; see yardline bench --help"}
	case f.data != "":
		return signBenchTokens(f.data, c)
	case f.tokensFile != "":
		text, err := os.ReadFile(f.tokensFile)
		if err != nil {
			return &broker.Misuse{Reason: "--tokens: " + err.Error()}
		}
		c.Tokens = strings.Fields(string(text))
	case c.PublishToken != "":
		c.Tokens = []string{c.PublishToken}
	}
	return nil
}

// defaultWindow is the number of events that may be on their way by default.
const defaultWindow = 16

// streamsPerToken is the number of streams that a broker accepts for one token.
const streamsPerToken = 100

// benchTokenTTL is the time for which the tokens of bench are valid.
const benchTokenTTL = 4 * time.Hour

// signBenchTokens signs the tokens that a measurement needs with the key of a broker.
func signBenchTokens(dir string, c *bench.Config) error {
	tokens, err := identity.LoadTokens(dir)
	if err != nil {
		return &broker.Misuse{Reason: err.Error()}
	}
	sign := func(user string, role access.Role) (string, error) {
		g, err := access.NewGrant(user, "", []access.Role{role}, 0)
		if err != nil {
			return "", err
		}
		return tokens.Create(g, benchTokenTTL)
	}
	roles := []access.Role{access.Manager, access.Dispatcher, access.Yard, access.Admin}
	users := max(len(roles), 1+(c.Subscribers+c.Slow+c.Stalled)/(streamsPerToken*3/4))
	for i := range users {
		token, err := sign(fmt.Sprintf("bench-%d", i+1), roles[i%len(roles)])
		if err != nil {
			return err
		}
		c.Tokens = append(c.Tokens, token)
	}
	if c.PublishToken == "" {
		c.PublishToken, err = sign("bench", access.Service)
	}
	return err
}

// describeBenchError returns the error to print for an error of a measurement. It adds
// advice where the broker's limits are the reason.
func describeBenchError(err error) error {
	var config *bench.ConfigError
	var refused *bench.RefusedError
	switch {
	case errors.As(err, &config):
		return &broker.Misuse{Reason: config.Reason}
	case !errors.As(err, &refused):
		return err
	}
	switch refused.Status {
	case 401, 403:
		return fmt.Errorf("%w; name the broker's --data, or pass tokens by --tokens and --token", err)
	case 429:
		return fmt.Errorf("%w; give bench more --tokens, and start the broker with a higher --publish-rate", err)
	case 503:
		return fmt.Errorf("%w; start the broker with a higher --max-connections", err)
	}
	return err
}

// benchFailure returns an error if the measurement shows a fault of the server.
func benchFailure(r *bench.Report) error {
	switch {
	case r.Published == nil:
		return nil
	case r.Published.Failed > 0:
		return fmt.Errorf("%d requests to publish failed, the first with: %s", r.Published.Failed,
			r.Published.FirstError)
	case r.Delivered.Lost+r.Delivered.Duplicates+r.Delivered.OutOfOrder > 0:
		return errors.New("subscribers have lost events, or have received them twice or out of order")
	}
	return nil
}

// repeatedFlag is a flag that may be given several times.
type repeatedFlag []string

// String returns the values, for help texts.
func (f *repeatedFlag) String() string { return strings.Join(*f, ", ") }

// Set adds a value.
func (f *repeatedFlag) Set(value string) error {
	*f = append(*f, value)
	return nil
}
