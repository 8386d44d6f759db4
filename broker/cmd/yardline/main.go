// Command yardline is the broker and its command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	_ "time/tzdata" // A container without files has no zone tables.

	"github.com/peterbourgon/ff/v3"
	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
)

// Exit statuses, by the docs.
const (
	done   = 0
	failed = 1
	misuse = 2
)

func main() {
	// A limit on the size of files is an error of the write, not our death.
	signal.Ignore(syscall.SIGXFSZ)
	// SIGHUP comes from a closed terminal. It stops the program, unless nohup
	// started it: nohup makes the program ignore the signal.
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	// A user who presses Ctrl-C again does not want to wait any longer.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	os.Exit(run(ctx, os.Args[1:], environment{os.Stdin, os.Stdout, os.Stderr}))
}

// environment is what a command reads and writes.
type environment struct {
	in       io.Reader
	out, err io.Writer
}

// run parses and runs one command line and returns its exit status.
func run(ctx context.Context, args []string, env environment) int {
	// The flag package shows help for a wrong flag too: it is kept until it
	// is known which of the two happened.
	var help string
	usage := func(c *ffcli.Command) string {
		help = usageOf(c)
		return ""
	}
	root := &ffcli.Command{
		Name: "yardline", ShortUsage: "yardline <command> [flags]", UsageFunc: usage,
		ShortHelp: "live events for equipment-rental companies",
		LongHelp: "Start with:\n  yardline serve --demo\n\nEvery flag can also be set in the environment (--listen " +
			"is YARDLINE_LISTEN) and in a\nfile of lines like 'listen 127.0.0.1:8080' that --config names.",
		FlagSet: group("yardline"),
		Subcommands: []*ffcli.Command{serve(env), publish(env), tail(env), token(env), user(env), restore(env),
			demoCommand(env), doctorCommand(env), schemaCommand(env)},
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 && args[0] != "help" {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown command %q; see yardline --help", args[0])}
			}
			return flag.ErrHelp
		},
	}
	for _, sub := range root.Subcommands {
		sub.UsageFunc = usage
		if sub.Subcommands == nil {
			sub.Options = options(sub.FlagSet)
		}
		for _, nested := range sub.Subcommands {
			nested.UsageFunc, nested.Options = usage, options(nested.FlagSet)
		}
	}
	err := root.Parse(args)
	if err == nil {
		err = root.Run(ctx)
	} else if !errors.Is(err, flag.ErrHelp) {
		err = &broker.Misuse{Reason: strings.TrimPrefix(err.Error(), "error parsing commandline arguments: ")}
	}
	var wrong *broker.Misuse
	switch {
	case err == nil:
		return done
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(env.out, help)
		if len(args) == 0 {
			return misuse
		}
		return done
	case errors.As(err, &wrong):
		fmt.Fprintln(env.err, "yardline:", wrong.Reason)
		return misuse
	default:
		fmt.Fprintln(env.err, "yardline:", err)
		return failed
	}
}

// oneArgument is the only argument of a command whose flags may also come after
// it.
func oneArgument(fs *flag.FlagSet, args []string, what string) (string, error) {
	if len(args) > 1 {
		config := fs.Lookup("config").Value
		before := config.String()
		// The flags after the argument may name a file, too.
		if err := ff.Parse(fs, args[1:], options(fs)...); err != nil {
			return "", &broker.Misuse{Reason: err.Error()}
		}
		if before != "" && config.String() != before {
			return "", &broker.Misuse{Reason: "two files are named by --config (or YARDLINE_CONFIG): " +
				before + " and " + config.String()}
		}
		args = append(args[:1:1], fs.Args()...)
	}
	if len(args) != 1 {
		return "", &broker.Misuse{Reason: fmt.Sprintf("%s needs %s; see %[1]s --help", fs.Name(), what)}
	}
	return args[0], nil
}

// flags makes the flag set of a command. It prints nothing by itself: run
// says what is wrong in one line.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.String("config", "", "a `file` of flags")
	return fs
}

// group makes the flag set of a command that only has commands of its own. It
// has no flags, and refuses those that an operator puts in front of a command.
func group(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("config", "", func(string) error { return errors.New("flags go after the command") })
	return fs
}

// usageOf is the help of a command, in the terms of its flags.
func usageOf(c *ffcli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s - %s\n\nUSAGE\n  %s\n", c.FlagSet.Name(), c.ShortHelp, c.ShortUsage)
	if c.LongHelp != "" {
		fmt.Fprintf(&b, "\n%s\n", c.LongHelp)
	}
	if len(c.Subcommands) > 0 {
		fmt.Fprint(&b, "\nCOMMANDS\n")
		w := tabwriter.NewWriter(&b, 0, 2, 2, ' ', 0)
		for _, sub := range c.Subcommands {
			fmt.Fprintf(w, "  %s\t%s\n", sub.Name, sub.ShortHelp)
		}
		w.Flush()
		fmt.Fprintf(&b, "\nEach has its own help: %s %s --help\n", c.FlagSet.Name(), c.Subcommands[0].Name)
		return b.String()
	}
	fmt.Fprint(&b, "\nFLAGS\n")
	w := tabwriter.NewWriter(&b, 0, 2, 2, ' ', 0)
	c.FlagSet.VisitAll(func(f *flag.Flag) {
		kind, help := flag.UnquoteUsage(f)
		fallback := ""
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" && f.DefValue != "0" {
			fallback = " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  --%s %s\t%s%s\n", f.Name, kind, help, fallback)
	})
	w.Flush()
	return b.String()
}
