package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient"
)

// demoCommand returns the command that publishes the events of a made-up company.
func demoCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline demo")
	var flags clientFlags
	flags.register(fs)
	rate := fs.Float64("rate", 1, "how many `events` a second")
	return &ffcli.Command{
		Name:       "demo",
		ShortUsage: "yardline demo [flags]",
		ShortHelp:  "let a made-up company publish events",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 || !(*rate > 0) { // NaN too is not above 0
				number := strconv.FormatFloat(*rate, 'g', -1, 64)
				return &broker.Misuse{Reason: "demo takes a --rate above 0, not " + number + ", and no arguments"}
			}
			t, err := flags.newTransport()
			if err != nil {
				return err
			}
			defer t.Close()
			api := wasmclient.API{Transport: t}
			if s, err := api.Session(ctx); err != nil {
				return describeError(err)
			} else if s.User == nil {
				return errors.New("the broker does not accept the token: sign one with yardline token --roles service")
			}
			publish := func(ctx context.Context, e event.Event) error {
				_, err := api.Publish(ctx, e)
				if err != nil && ctx.Err() == nil {
					fmt.Fprintln(std.err, "yardline:", describeError(err))
				}
				return err
			}
			return demo.Run(ctx, demo.Config{Rate: *rate, Publish: publish})
		},
	}
}
