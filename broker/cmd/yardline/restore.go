package main

import (
	"context"
	"fmt"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
)

// restoreCommand returns the command that replaces a data directory by a backup.
func restoreCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline restore")
	data := fs.String("data", "./data", "the `directory` that the broker uses; it must be stopped")
	return &ffcli.Command{
		Name:       "restore",
		ShortUsage: "yardline restore BACKUP [flags]",
		ShortHelp:  "put a backup of a data directory back",
		FlagSet:    fs,
		LongHelp: "BACKUP is a copy of a data directory. It is checked and copied, and gets a new epoch, so that\n" +
			"readers take the state anew. What is in the data directory now is moved aside, not deleted.",
		Exec: func(ctx context.Context, args []string) error {
			backup, err := oneArgument(fs, args, "one BACKUP, a directory")
			if err != nil {
				return err
			}
			log, err := newLogger(std, "error", "text")
			if err != nil {
				return err
			}
			r, err := broker.Restore(ctx, backup, *data, log)
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "Restored %d events", r.Events)
			if !r.LastStored.IsZero() {
				fmt.Fprintf(std.out, ", the newest of %s", r.LastStored.UTC().Format(time.RFC3339))
			}
			fmt.Fprintf(std.out, ", under the new epoch %s.\n", r.Epoch)
			if r.ReplacedFiles != "" {
				fmt.Fprintf(std.out, "What was there before is in %s; delete it when you no longer need it.\n",
					r.ReplacedFiles)
			}
			return nil
		},
	}
}
