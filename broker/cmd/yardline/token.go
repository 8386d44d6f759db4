package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
)

// tokenCommand returns the command that signs a bearer token with a broker's key.
func tokenCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline token")
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
		Name:       "token",
		ShortUsage: "yardline token --user ID [flags]",
		ShortHelp:  "sign a bearer token",
		FlagSet:    fs,
		LongHelp: `  yardline token --roles service --user erp --ttl 8760h     for a back end that publishes
  yardline token --roles manager,hr --user 7 --employee 456  for a person`,
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 || *user == "" || *ttl <= 0 {
				return &broker.Misuse{
					Reason: "token needs --user, a --ttl above 0 and no arguments; see yardline token --help",
				}
			}
			list := parseRoles(*roles)
			if len(list) == 0 && *employee == 0 {
				return &broker.Misuse{
					Reason: "a token without --roles and --employee may do nothing; see yardline token --help",
				}
			}
			g, err := access.NewGrant(*user, *name, list, *employee)
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
				expires := time.Now().Add(*ttl).UTC().Format(time.RFC3339)
				return json.NewEncoder(std.out).Encode(map[string]string{"token": signed, "expires": expires})
			}
			fmt.Fprintln(std.out, signed)
			return nil
		},
	}
}
