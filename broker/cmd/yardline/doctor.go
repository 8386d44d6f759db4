package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/doctor"
)

var errUnwell = errors.New("the deployment needs a change; see what failed")

func doctorCommand(env environment) *ffcli.Command {
	fs := flags("yardline doctor")
	token := fs.String("token", "", "a bearer `token` of somebody who may read; better in YARDLINE_TOKEN")
	readOnly := fs.Bool("read-only", false, "publish no event to measure its delay")
	asJSON := fs.Bool("json", false, "print a line of JSON for each check")
	return &ffcli.Command{
		Name: "doctor", ShortUsage: "yardline doctor [flags] URL", ShortHelp: "check a deployment from outside", FlagSet: fs,
		LongHelp: "Checks that the broker can be reached, what it warns of itself, clocks, TLS and HSTS,\n" +
			"authentication in front of it, sign-in, how long a stream takes to its first word, how late an\n" +
			"event comes (a proxy that holds events back is named), and WebSockets. The token of an admin\n" +
			"lets it publish an event to measure with, a notification for admins; any other token measures\n" +
			"by a stream's first word. A user and a password in the URL are for a proxy's HTTP Basic\n" +
			"authentication. Exit status 1 where a check failed.",
		Exec: func(ctx context.Context, args []string) error {
			address, err := oneArgument(fs, args, "the URL of a broker")
			if err != nil {
				return err
			}
			failed := false
			err = doctor.Check(
				ctx,
				doctor.Config{URL: address, Token: *token, ReadOnly: *readOnly},
				func(f doctor.Finding) {
					failed = failed || f.Result == doctor.Failed
					if *asJSON {
						_ = json.NewEncoder(env.out).Encode(f) // as a closed pipe is for the lines below
						return
					}
					fmt.Fprintf(env.out, "%-8s %-13s %s\n", f.Result, f.Check, f.Found)
					if f.Change != "" {
						fmt.Fprintf(env.out, "%-8s %-13s → %s\n", "", "", f.Change)
					}
				},
			)
			if err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			if failed {
				return errUnwell
			}
			return nil
		},
	}
}
