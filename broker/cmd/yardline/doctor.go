package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/doctor"
)

// errChecksFailed is the error of the command when a check has failed.
var errChecksFailed = errors.New("the deployment needs a change; see what failed")

// doctorCommand returns the command that checks a deployment from outside.
func doctorCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline doctor")
	token := fs.String("token", "", "a bearer `token` of somebody who may read; better in YARDLINE_TOKEN")
	readOnly := fs.Bool("read-only", false, "publish no event to measure its delay")
	asJSON := fs.Bool("json", false, "print a line of JSON for each check")
	return &ffcli.Command{
		Name:       "doctor",
		ShortUsage: "yardline doctor [flags] URL",
		ShortHelp:  "check a deployment from outside",
		FlagSet:    fs,
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
			anyFailed := false
			report := func(f doctor.Finding) {
				anyFailed = anyFailed || f.Result == doctor.Failed
				printFinding(std.out, f, *asJSON)
			}
			c := doctor.Config{URL: address, Token: *token, ReadOnly: *readOnly}
			if err := doctor.Check(ctx, c, report); err != nil {
				return &broker.Misuse{Reason: err.Error()}
			}
			if anyFailed {
				return errChecksFailed
			}
			return nil
		},
	}
}

// printFinding prints a finding as a line of JSON or as text. It ignores errors: the
// program that reads the output may have ended, and the checks go on.
func printFinding(out io.Writer, f doctor.Finding, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(out).Encode(f)
		return
	}
	fmt.Fprintf(out, "%-8s %-13s %s\n", f.Result, f.Check, f.Found)
	if f.Change != "" {
		fmt.Fprintf(out, "%-8s %-13s → %s\n", "", "", f.Change)
	}
}
