package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/peterbourgon/ff/v3/ffcli"
	"golang.org/x/term"

	"github.com/snd-rental/yardline/broker"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// user edits the users file of a data directory. A broker that runs takes
// the change within two seconds.
func user(env environment) *ffcli.Command {
	return &ffcli.Command{
		Name: "user", ShortUsage: "yardline user <command> NAME [flags]",
		ShortHelp: "edit who may sign in with --auth users", FlagSet: group("yardline user"),
		LongHelp: "A broker that runs takes a change within two seconds. Passwords are read from the\nterminal, or from the first line of standard input.",
		Subcommands: []*ffcli.Command{
			userCommand(env, "add", "add a user", []string{"roles", "employee", "id"}, func(path, name string, given userFlags) error {
				hash, err := newPassword(env)
				if err != nil {
					return err
				}
				u := identity.User{ID: name, Name: name, Password: hash, Roles: given.roles(), Employee: *given.employee}
				if *given.id != "" {
					u.ID = *given.id
				}
				return identity.EditUsers(path, func(users []identity.User) ([]identity.User, error) { return append(users, u), nil })
			}),
			userCommand(env, "passwd", "set a user's password; their sessions end", nil, func(path, name string, _ userFlags) error {
				hash, err := newPassword(env)
				if err != nil {
					return err
				}
				return identity.EditUser(path, name, func(u *identity.User) error { u.Password = hash; return nil })
			}),
			userCommand(env, "roles", "replace a user's roles, their employee id, or both", []string{"roles", "employee"}, func(path, name string, given userFlags) error {
				return identity.EditUser(path, name, func(u *identity.User) error {
					if !given.set["roles"] && !given.set["employee"] {
						return errors.New("give --roles, --employee or both; --roles '' takes all away")
					}
					if given.set["roles"] {
						u.Roles = given.roles()
					}
					if given.set["employee"] {
						u.Employee = *given.employee
					}
					return nil
				})
			}),
			userCommand(env, "disable", "keep a user out; their sessions end", nil, func(path, name string, _ userFlags) error {
				return identity.EditUser(path, name, func(u *identity.User) error { u.Disabled = true; return nil })
			}),
			userCommand(env, "enable", "let a disabled user in again", nil, func(path, name string, _ userFlags) error {
				return identity.EditUser(path, name, func(u *identity.User) error { u.Disabled = false; return nil })
			}),
			userList(env),
		},
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown command %q; see yardline user --help", args[0])}
			}
			return flag.ErrHelp
		},
	}
}

// userFlags are those of the commands that have them.
type userFlags struct {
	data, id, names *string
	employee        *int64
	set             map[string]bool // the flags that were given
}

func (f userFlags) roles() []access.Role { return rolesOf(*f.names) }

func rolesOf(names string) (roles []access.Role) {
	for _, name := range listOf(names) {
		roles = append(roles, access.Role(name))
	}
	return roles
}

// userCommand is a command that edits one user, whose name may come before its
// flags or after them.
func userCommand(env environment, name, help string, takes []string, edit func(path, user string, given userFlags) error) *ffcli.Command {
	fs := flags("yardline user " + name)
	given := userFlags{data: fs.String("data", "./data", "the broker's data `directory`"), names: new(string), id: new(string), employee: new(int64)}
	if slices.Contains(takes, "roles") {
		fs.StringVar(given.names, "roles", "", "`roles`, comma separated: dispatcher, yard, hr, manager, admin, service")
	}
	if slices.Contains(takes, "employee") {
		fs.Int64Var(given.employee, "employee", 0, "the user's employee `id`")
	}
	if slices.Contains(takes, "id") {
		fs.StringVar(given.id, "id", "", "the user's `id`, which events carry as the actor; the name where none is given")
	}
	return &ffcli.Command{
		Name: name, ShortUsage: "yardline user " + name + " NAME [flags]", ShortHelp: help, FlagSet: fs,
		Exec: func(_ context.Context, args []string) error {
			user, err := oneArgument(fs, args, "one NAME (whose?)")
			if err != nil {
				return err
			}
			given.set = map[string]bool{}
			fs.Visit(func(f *flag.Flag) { given.set[f.Name] = true })
			err = edit(identity.UsersPath(*given.data), user, given)
			var wrong *broker.Misuse
			if err != nil && !errors.As(err, &wrong) {
				return &broker.Misuse{Reason: err.Error()}
			}
			if err == nil {
				fmt.Fprintf(env.out, "%s: done\n", user)
			}
			return err
		},
	}
}

func userList(env environment) *ffcli.Command {
	fs := flags("yardline user list")
	data := fs.String("data", "./data", "the broker's data `directory`")
	return &ffcli.Command{
		Name: "list", ShortUsage: "yardline user list [flags]", ShortHelp: "print who there is", FlagSet: fs,
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("user list takes no arguments, only flags: %q", args[0])}
			}
			w := tabwriter.NewWriter(env.out, 0, 2, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tID\tROLES\tEMPLOYEE\tSTATE")
			if _, err := os.Stat(*data); err != nil {
				return &broker.Misuse{Reason: "--data: " + err.Error()}
			}
			users, err := identity.ReadUsers(identity.UsersPath(*data))
			for _, u := range users {
				state := "enabled"
				if u.Disabled {
					state = "disabled"
				}
				fmt.Fprintf(w, "%s\t%s\t%v\t%d\t%s\n", u.Name, u.ID, u.Roles, u.Employee, state)
			}
			return errors.Join(err, w.Flush())
		},
	}
}

// newPassword asks for a password and returns what the users file holds of it.
func newPassword(env environment) (hash string, err error) {
	password, err := readPassword(env)
	if err != nil {
		return "", err
	}
	if hash, err = identity.HashPassword(password); err != nil {
		return "", &broker.Misuse{Reason: err.Error()}
	}
	return hash, nil
}

// readPassword asks for a password, twice and unseen on a terminal.
func readPassword(env environment) (string, error) {
	in, isFile := env.in.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(event.SkipByteOrderMark(env.in)).ReadString('\n')
		if errors.Is(err, event.ErrUTF16) {
			return "", &broker.Misuse{Reason: "the password: " + err.Error()}
		}
		if line == "" && errors.Is(err, io.EOF) {
			return "", &broker.Misuse{Reason: "a password is needed: the first line of standard input"}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(env.err, prompt)
		text, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(env.err)
		return string(text), err
	}
	first, err := ask("New password: ")
	if err != nil {
		return "", err
	}
	if again, err := ask("Once more: "); err != nil || again != first {
		return "", &broker.Misuse{Reason: "the two are not the same"}
	}
	return first, nil
}
