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

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2 // a fault in the command line, the configuration or the data directory
)

func main() {
	// When a file reaches the limit on the size of files, a write then returns an error.
	// Otherwise the signal would end the program.
	signal.Ignore(syscall.SIGXFSZ)
	// SIGHUP comes from a terminal that was closed. It stops the program, unless nohup
	// started the program with the signal ignored.
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	os.Exit(run(ctx, os.Args[1:], standardStreams{os.Stdin, os.Stdout, os.Stderr}))
}

// standardStreams has the standard input, output and error of a command.
type standardStreams struct {
	in       io.Reader
	out, err io.Writer
}

// run parses a command line, runs its command and returns the exit status.
func run(ctx context.Context, args []string, std standardStreams) int {
	// The flag package calls usage for a wrong flag, too. So run keeps the help text, and
	// prints it only when the user has asked for help.
	var help string
	usage := func(c *ffcli.Command) string {
		help = usageOf(c)
		return ""
	}
	root := rootCommand(std, usage)
	err := root.Parse(args)
	if err == nil {
		err = root.Run(ctx)
	} else if !errors.Is(err, flag.ErrHelp) {
		err = &broker.Misuse{Reason: strings.TrimPrefix(err.Error(), "error parsing commandline arguments: ")}
	}
	var misuse *broker.Misuse
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(std.out, help)
		if len(args) == 0 {
			return exitMisuse
		}
		return exitDone
	case errors.As(err, &misuse):
		fmt.Fprintln(std.err, "yardline:", misuse.Reason)
		return exitMisuse
	default:
		fmt.Fprintln(std.err, "yardline:", err)
		return exitFailed
	}
}

// rootCommand returns the command yardline with all its commands. usage returns the help
// text of a command.
func rootCommand(std standardStreams, usage func(*ffcli.Command) string) *ffcli.Command {
	root := &ffcli.Command{
		Name:       "yardline",
		ShortUsage: "yardline <command> [flags]",
		ShortHelp:  "live events for equipment-rental companies",
		LongHelp: `Start with:
  yardline serve --demo

Every flag can also be set in the environment (--listen is YARDLINE_LISTEN) and in a
file of lines like 'listen 127.0.0.1:8080' that --config names.`,
		FlagSet:   groupFlags("yardline"),
		UsageFunc: usage,
		Subcommands: []*ffcli.Command{
			serveCommand(std),
			publishCommand(std),
			tailCommand(std),
			tokenCommand(std),
			userCommands(std),
			restoreCommand(std),
			demoCommand(std),
			doctorCommand(std),
			benchCommand(std),
			schemaCommand(std),
		},
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
			sub.Options = parseOptions(sub.FlagSet)
		}
		for _, nested := range sub.Subcommands {
			nested.UsageFunc, nested.Options = usage, parseOptions(nested.FlagSet)
		}
	}
	return root
}

// oneArgument returns the only argument of a command. Flags may come before the argument
// and after it. args is the command line without the flags before the argument. The error
// contains wanted, the description of the argument.
func oneArgument(fs *flag.FlagSet, args []string, wanted string) (string, error) {
	if len(args) > 1 {
		config := fs.Lookup("config").Value
		before := config.String()
		// The flags after the argument may name another configuration file.
		if err := ff.Parse(fs, args[1:], parseOptions(fs)...); err != nil {
			return "", &broker.Misuse{Reason: err.Error()}
		}
		if before != "" && config.String() != before {
			return "", &broker.Misuse{Reason: "two files are named by --config (or YARDLINE_CONFIG): " +
				before + " and " + config.String()}
		}
		args = append(args[:1:1], fs.Args()...)
	}
	if len(args) != 1 {
		return "", &broker.Misuse{Reason: fmt.Sprintf("%s needs %s; see %[1]s --help", fs.Name(), wanted)}
	}
	return args[0], nil
}

// commandFlags returns the flag set of a command, with the flag --config. The set itself
// prints nothing, because run prints errors as one line.
func commandFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.String("config", "", "a `file` of flags")
	return fs
}

// groupFlags returns the flag set of a command that only has commands of its own. It
// accepts no flags. When an operator sets --config in front of such a command, the error
// asks the operator to set the flag after the command.
func groupFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("config", "", func(string) error { return errors.New("flags go after the command") })
	return fs
}

// usageOf returns the help text of a command.
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
	writeFlags(&b, c.FlagSet)
	return b.String()
}

// writeFlags writes a table of the flags with their help texts and defaults. It leaves out
// defaults that are empty, false or 0.
func writeFlags(out io.Writer, fs *flag.FlagSet) {
	fmt.Fprint(out, "\nFLAGS\n")
	w := tabwriter.NewWriter(out, 0, 2, 2, ' ', 0)
	fs.VisitAll(func(f *flag.Flag) {
		kind, help := flag.UnquoteUsage(f)
		defaultValue := ""
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" && f.DefValue != "0" {
			defaultValue = " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  --%s %s\t%s%s\n", f.Name, kind, help, defaultValue)
	})
	w.Flush()
}
