package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/schema"
	"github.com/snd-rental/yardline/shared/event"
)

// documents has the documents that the command prints, by their names. The command also
// prints the schemas of the event types.
var documents = map[string]func() []byte{
	"openapi":    schema.OpenAPI,
	"asyncapi":   schema.AsyncAPI,
	"typescript": schema.TypeScript,
}

// schemaCommand returns the command that prints descriptions of the events and the API.
func schemaCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline schema")
	use := fs.String("for", string(schema.ForPublishers), "`who` a type's schema is for: publish or read")
	names := make([]string, len(event.Types))
	for i, t := range event.Types {
		names[i] = string(t)
	}
	return &ffcli.Command{
		Name:       "schema",
		ShortUsage: "yardline schema [flags] TYPE | openapi | asyncapi | typescript",
		ShortHelp:  "print what describes events and API",
		FlagSet:    fs,
		LongHelp: `  yardline schema payment_received              JSON Schema of what a publisher sends
  yardline schema --for read payment_received   of what a reader gets
  yardline schema typescript > yardline.d.ts

The types are ` + strings.Join(names, ", ") + ".",
		Exec: func(_ context.Context, args []string) error {
			name, err := oneArgument(fs, args, "one name")
			if err != nil {
				return err
			}
			if document, found := documents[name]; found {
				_, err := std.out.Write(document())
				return err
			}
			t, u := event.Type(name), schema.Use(*use)
			if !t.Known() {
				return &broker.Misuse{
					Reason: fmt.Sprintf("unknown name %q: use a type, openapi, asyncapi or typescript", name),
				}
			}
			if u != schema.ForPublishers && u != schema.ForReaders {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown --for %q: use publish or read", *use)}
			}
			_, err = std.out.Write(schema.EventSchema(t, u))
			return err
		},
	}
}
