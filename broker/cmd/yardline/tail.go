package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/wire"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/store"
)

// tailCommand returns the command that prints events as they come.
func tailCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline tail")
	var flags clientFlags
	flags.register(fs)
	types := fs.String("types", "", "only these `types`, comma separated")
	subjects := fs.String("subjects", "", "only these `subjects`, such as rental/123 or rental/*")
	modules := fs.String("modules", "", "only these `modules`: rental, equipment, employee, customer, system")
	severity := fs.String("severity", "", "the least `severity`: info, success, warning, error")
	after := fs.String("after", "", "start after this `cursor`, or at the oldest kept event: oldest")
	onGap := fs.String("on-gap", gapNote, "`what` to do where events can no longer be had: note, line or stop")
	return &ffcli.Command{
		Name:       "tail",
		ShortUsage: "yardline tail [flags]",
		ShortHelp:  "print events as they come, a line of JSON each",
		FlagSet:    fs,
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
			f, err := filter.Parse(map[string][]string{
				"types": {*types}, "subjects": {*subjects}, "modules": {*modules}, "severity": {*severity},
			})
			if err != nil {
				return &broker.Misuse{Reason: "--" + err.Error()}
			}
			o := wasmclient.Options{Filter: f, Oldest: *after == "oldest"}
			if !o.Oldest {
				if o.After, err = wire.ParseCursor(*after); err != nil {
					return &broker.Misuse{Reason: fmt.Sprintf("--after: %q is not a cursor", *after)}
				}
			}
			t, err := flags.newTransport()
			if err != nil {
				return err
			}
			defer t.Close()
			o.Transport = t
			return follow(ctx, o, *onGap, std)
		},
	}
}

// Values of --on-gap. Every gap is noted on standard error as well.
const (
	gapNote = "note" // nothing more
	gapLine = "line" // print a line of JSON among the events
	gapStop = "stop" // end with status 1
)

// follow prints events until ctx ends, or until the broker refuses the stream for good,
// which is an error.
func follow(ctx context.Context, o wasmclient.Options, onGap string, std standardStreams) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failure error
	write := func(line []byte) {
		if failure != nil {
			return // nothing is printed after the gap
		}
		if _, err := std.out.Write(append(line, '\n')); err != nil {
			cancel() // the program that reads the output has ended
		}
	}
	o.OnEvent = func(r store.Received) { write(r.Event.AppendJSON(nil)) }
	o.OnGap = func(g wire.Gap) {
		fmt.Fprintln(std.err, "yardline: gap: "+describeGap(g))
		switch onGap {
		case gapLine:
			line, _ := json.Marshal(map[string]wire.Gap{"gap": g}) // cursors always marshal
			write(line)
		case gapStop:
			failure = errors.New("stopped at a gap: " + describeGap(g))
			cancel()
		}
	}
	var last conn.Status
	o.OnStep = func(_ conn.Input, s conn.Status) {
		if s.State == conn.Denied || s.State == conn.Disconnected {
			failure = fmt.Errorf("the broker refused the stream: %s", s.Code)
			cancel()
		} else if s.State != conn.Connecting && shouldPrintStatus(last, s) {
			fmt.Fprintln(std.err, strings.TrimSuffix("yardline: "+string(s.State)+": "+s.Code, ": ")+advice(s.Code))
		}
		last = s
	}
	wasmclient.New(o).Run(ctx)
	return failure
}

// shouldPrintStatus tells whether tail prints a line for the status s. It prints changes,
// except for the first connection.
func shouldPrintStatus(last, s conn.Status) bool {
	if s.State == conn.Live && last.State == conn.Connecting {
		return false
	}
	return s.State != last.State || s.Code != last.Code
}

// describeGap returns a sentence about the missing events.
func describeGap(g wire.Gap) string {
	if g.To == (wire.Cursor{}) {
		return fmt.Sprintf("the broker does not know the place %s; what came after it may be missing", g.From)
	}
	return fmt.Sprintf("events after %s up to %s can no longer be had", g.From, g.To)
}

// advice returns the likely cause when a program other than the broker has answered. code
// is the code of the status. advice returns "" for the codes of the broker.
func advice(code string) string {
	switch {
	case code == conn.LoginRedirect:
		return " (something redirects: a login proxy, or --url is not the broker's own address)"
	case code == "not_a_stream" || code == "no_upgrade" || strings.HasPrefix(code, "http_"):
		return " (something else answered in the broker's place; yardline doctor may say what)"
	}
	return ""
}
