package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/native"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// remote are the flags of a command that talks to a broker.
type remote struct {
	url, token string
}

func (r *remote) flags(fs *flag.FlagSet) {
	fs.StringVar(&r.url, "url", "http://localhost:8080", "the broker's `URL`")
	fs.StringVar(&r.token, "token", "", "a bearer `token`, see yardline token; better set as YARDLINE_TOKEN")
}

// dial returns the transport to the broker. Close it.
func (r *remote) dial() (*native.Transport, error) {
	t, err := native.New(r.url, r.token)
	if err != nil {
		return nil, &broker.Misuse{Reason: "--url: " + err.Error()}
	}
	return t, nil
}

func publish(env environment) *ffcli.Command {
	fs := flags("yardline publish")
	var r remote
	r.flags(fs)
	id := fs.String("id", "", "the event's `id`: sent again with the same id, it is stored once")
	asJSON := fs.Bool("json", false, "print the answer as JSON")
	return &ffcli.Command{
		Name: "publish", ShortUsage: "yardline publish [flags] TYPE key=value… | JSON | -", ShortHelp: "publish an event", FlagSet: fs,
		LongHelp: "  yardline publish rental_status_updated rental_id=123 status=completed\n  yardline publish '{\"type\":\"rental_overdue\",\"data\":{\"rental_id\":123,\"days_overdue\":2}}'\n  yardline publish - < event.json\n\nA value is taken as JSON where it is valid JSON, and as text otherwise; notes='\"12\"' is\nthe text 12. Flags go before the type.",
		Exec: func(ctx context.Context, args []string) error {
			body, err := eventBody(args, *id, env.in)
			if err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			t, err := r.dial()
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := context.WithTimeout(ctx, publishTimeout)
			defer cancel()
			receipt, err := wasmclient.API{Transport: t}.PublishJSON(ctx, body)
			if err != nil {
				return describe(err)
			}
			if *asJSON {
				return json.NewEncoder(env.out).Encode(receipt)
			}
			for _, w := range receipt.Warnings {
				fmt.Fprintf(env.err, "yardline: warning: %s: %s\n", w.Pointer, w.Message)
			}
			fmt.Fprintf(env.out, "id %s\ncursor %s\n", receipt.ID, receipt.Cursor)
			if receipt.Duplicate {
				fmt.Fprintln(env.err, "yardline: it was stored before, under this id")
			}
			return nil
		},
	}
}

// publishTimeout bounds how long publish waits for an answer.
const publishTimeout = 30 * time.Second

// eventBody reads the event that publish is given.
func eventBody(args []string, id string, in io.Reader) (json.RawMessage, error) {
	if len(args) == 0 {
		return nil, errors.New("publish needs TYPE key=value…, JSON, or - for standard input")
	}
	var body []byte
	switch {
	case args[0] == "-" && len(args) == 1:
		var err error
		if body, err = io.ReadAll(io.LimitReader(in, event.MaxEventBytes+1)); err != nil {
			return nil, err
		}
		if len(body) > event.MaxEventBytes {
			return nil, fmt.Errorf("standard input has more than %d bytes, the most that an event may have",
				event.MaxEventBytes)
		}
	case strings.HasPrefix(strings.TrimSpace(args[0]), "{") && len(args) == 1:
		body = []byte(args[0])
	default:
		data := event.Object{}
		for _, pair := range args[1:] {
			if strings.HasPrefix(pair, "-") {
				return nil, fmt.Errorf("flags go before the type: %s", pair)
			}
			key, value, found := strings.Cut(pair, "=")
			if !found || key == "" {
				return nil, fmt.Errorf("%q is not key=value", pair)
			}
			if data.Has(key) {
				return nil, fmt.Errorf("%s is given twice", key)
			}
			raw := json.RawMessage(value)
			if !json.Valid(raw) {
				raw, _ = json.Marshal(value) // a string always marshals
			}
			data = data.With(key, raw)
		}
		body, _ = json.Marshal(map[string]any{"type": args[0], "data": data})
	}
	body, err := event.TrimByteOrderMark(body)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, errors.New("the event is not valid JSON")
	}
	if id == "" {
		return body, nil
	}
	var o event.Object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, errors.New("the event is not a JSON object")
	}
	quoted, _ := json.Marshal(id)
	return o.With("id", quoted).AppendJSON(nil), nil
}

// describe returns the sentence of an error. It adds the fields that the broker
// refused, or advice when something other than the broker answered.
func describe(err error) error {
	var refused *wasmclient.Error
	isRefused := errors.As(err, &refused)
	if errors.Is(err, wasmclient.ErrNotBroker) || isRefused && !refused.FromBroker {
		return fmt.Errorf("%s; is --url the broker's own address? yardline doctor may say what answers there",
			strings.TrimPrefix(err.Error(), "wasmclient: "))
	}
	if !isRefused || len(refused.Fields) == 0 {
		return err
	}
	text := refused.Title + " (" + refused.Code + ")"
	for _, f := range refused.Fields {
		text += "\n  " + f.Pointer + ": expected " + f.Expected
	}
	return errors.New(text)
}

func tail(env environment) *ffcli.Command {
	fs := flags("yardline tail")
	var r remote
	r.flags(fs)
	types := fs.String("types", "", "only these `types`, comma separated")
	subjects := fs.String("subjects", "", "only these `subjects`, such as rental/123 or rental/*")
	modules := fs.String("modules", "", "only these `modules`: rental, equipment, employee, customer, system")
	severity := fs.String("severity", "", "the least `severity`: info, success, warning, error")
	after := fs.String("after", "", "start after this `cursor`, or at the oldest kept event: oldest")
	onGap := fs.String("on-gap", gapNote, "`what` to do where events can no longer be had: note, line or stop")
	return &ffcli.Command{
		Name: "tail", ShortUsage: "yardline tail [flags]", ShortHelp: "print events as they come, a line of JSON each", FlagSet: fs,
		LongHelp: `Prints what happens from now on, or what came --after a place, of what the token may see.
Reconnects by itself and resumes where it was. The state of the connection goes to standard error.

Events that can no longer be had are a gap: they were purged, the log was restored from a
backup, or one cannot be read. Every gap is noted on standard error. With --on-gap line it is
also a line of JSON among the events, {"gap":{"from":"…","to":"…"}}; with --on-gap stop the
command ends with status 1, and prints nothing of what comes after the gap.

It ends with status 1 where the broker refuses the token. What a proxy answers in the broker's
place is no reason to end.`,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("tail takes no arguments, only flags: %q", args[0])}
			}
			if !slices.Contains([]string{gapNote, gapLine, gapStop}, *onGap) {
				return &broker.Misuse{Reason: fmt.Sprintf("--on-gap is note, line or stop, not %q", *onGap)}
			}
			f, err := filter.Parse(map[string][]string{"types": {*types}, "subjects": {*subjects}, "modules": {*modules}, "severity": {*severity}})
			if err != nil {
				return &broker.Misuse{Reason: "--" + err.Error()}
			}
			o := wasmclient.Options{Filter: f, Oldest: *after == "oldest"}
			if !o.Oldest {
				if o.After, err = wire.ParseCursor(*after); err != nil {
					return &broker.Misuse{Reason: fmt.Sprintf("--after: %q is not a cursor", *after)}
				}
			}
			t, err := r.dial()
			if err != nil {
				return err
			}
			defer t.Close()
			o.Transport = t
			return follow(ctx, o, *onGap, env)
		},
	}
}

// Values of --on-gap: they say how tail treats a gap.
const (
	gapNote = "note"
	gapLine = "line"
	gapStop = "stop"
)

// follow prints events until ctx ends or the broker refuses for good.
func follow(ctx context.Context, o wasmclient.Options, onGap string, env environment) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failure error
	write := func(line []byte) {
		if failure != nil {
			return // the gap is the end
		}
		if _, err := env.out.Write(append(line, '\n')); err != nil {
			cancel() // nobody reads any more
		}
	}
	o.OnEvent = func(r store.Received) { write(r.Event.AppendJSON(nil)) }
	o.OnGap = func(g wire.Gap) {
		fmt.Fprintln(env.err, "yardline: gap: "+gapWords(g))
		switch onGap {
		case gapLine:
			line, _ := json.Marshal(map[string]wire.Gap{"gap": g}) // cursors always marshal
			write(line)
		case gapStop:
			failure = errors.New("stopped at a gap: " + gapWords(g))
			cancel()
		}
	}
	var last conn.Status
	o.OnStep = func(_ conn.Input, s conn.Status) {
		if s.State == conn.Denied || s.State == conn.Disconnected {
			failure = fmt.Errorf("the broker refused the stream: %s", s.Code)
			cancel()
		} else if s.State != conn.Connecting && isNews(last, s) {
			fmt.Fprintln(env.err, strings.TrimSuffix("yardline: "+string(s.State)+": "+s.Code, ": ")+advice(s.Code))
		}
		last = s
	}
	wasmclient.New(o).Run(ctx)
	return failure
}

// isNews tells whether a status is worth a line: the first one that is live is not.
func isNews(last, s conn.Status) bool {
	if s.State == conn.Live && last.State == conn.Connecting {
		return false
	}
	return s.State != last.State || s.Code != last.Code
}

// gapWords describes the missing events.
func gapWords(g wire.Gap) string {
	if g.To == (wire.Cursor{}) {
		return fmt.Sprintf("the broker does not know the place %s; what came after it may be missing", g.From)
	}
	return fmt.Sprintf("events after %s up to %s can no longer be had", g.From, g.To)
}

// advice names the likely cause of an answer that is not the broker's.
func advice(code string) string {
	switch {
	case code == conn.LoginRedirect:
		return " (something redirects: a login proxy, or --url is not the broker's own address)"
	case code == "not_a_stream" || code == "no_upgrade" || strings.HasPrefix(code, "http_"):
		return " (something else answered in the broker's place; yardline doctor may say what)"
	}
	return ""
}

func token(env environment) *ffcli.Command {
	fs := flags("yardline token")
	data := fs.String("data", "./data", "the `directory` of the broker whose key signs")
	roles := fs.String("roles", "", "`roles`, comma separated: dispatcher, yard, hr, manager, admin, service")
	user := fs.String("user", "", "the user's `id`, or the name of a service; required")
	name := fs.String("name", "", "the user's `name`, for people")
	employee := fs.Int64("employee", 0, "the user's employee `id`")
	tenant := fs.String("tenant", "", "the `company` that it is for, at the edge alone; see docs/edge.md")
	ttl := fs.Duration("ttl", time.Hour, "how long it is valid")
	newKey := fs.Bool("new-key", false, "make the broker another key first: all tokens so far are worth nothing then")
	asJSON := fs.Bool("json", false, "print it as JSON, with when it expires")
	return &ffcli.Command{
		Name: "token", ShortUsage: "yardline token --user ID [flags]", ShortHelp: "sign a bearer token", FlagSet: fs,
		LongHelp: "  yardline token --roles service --user erp --ttl 8760h     for a back end that publishes\n  yardline token --roles manager,hr --user 7 --employee 456  for a person",
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 || *user == "" || *ttl <= 0 {
				return &broker.Misuse{Reason: "token needs --user, a --ttl above 0 and no arguments; see yardline token --help"}
			}
			names := rolesOf(*roles)
			if len(names) == 0 && *employee == 0 {
				return &broker.Misuse{Reason: "a token without --roles and --employee may do nothing; see yardline token --help"}
			}
			g, err := access.NewGrant(*user, *name, names, *employee)
			if err == nil && *tenant != "" {
				g, err = g.InTenant(*tenant)
			}
			if err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			if *newKey {
				if err := identity.RotateKey(*data); err != nil {
					return &broker.Misuse{Reason: err.Error()}
				}
			}
			tokens, err := identity.LoadTokens(*data)
			if err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			signed, err := tokens.Create(g, *ttl)
			if err != nil {
				return err
			}
			if *asJSON {
				return json.NewEncoder(env.out).Encode(map[string]string{"token": signed, "expires": time.Now().Add(*ttl).UTC().Format(time.RFC3339)})
			}
			fmt.Fprintln(env.out, signed)
			return nil
		},
	}
}

func demoCommand(env environment) *ffcli.Command {
	fs := flags("yardline demo")
	var r remote
	r.flags(fs)
	rate := fs.Float64("rate", 1, "how many `events` a second")
	return &ffcli.Command{
		Name: "demo", ShortUsage: "yardline demo [flags]", ShortHelp: "let a made-up company publish events", FlagSet: fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 || !(*rate > 0) { // also NaN
				return &broker.Misuse{Reason: "demo takes a --rate above 0, not " + strconv.FormatFloat(*rate, 'g', -1, 64) + ", and no arguments"}
			}
			t, err := r.dial()
			if err != nil {
				return err
			}
			defer t.Close()
			api := wasmclient.API{Transport: t}
			if s, err := api.Session(ctx); err != nil {
				return describe(err)
			} else if s.User == nil {
				return errors.New("the broker does not accept the token: sign one with yardline token --roles service")
			}
			return demo.Run(ctx, demo.Config{Rate: *rate, Publish: func(ctx context.Context, e event.Event) error {
				_, err := api.Publish(ctx, e)
				if err != nil && ctx.Err() == nil {
					fmt.Fprintln(env.err, "yardline:", describe(err))
				}
				return err
			}})
		},
	}
}
