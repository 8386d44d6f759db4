package main

import (
	"bufio"
	"cmp"
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

// userCommands returns the command whose own commands edit the users file of a data
// directory. A running broker reads the file again within two seconds.
func userCommands(std standardStreams) *ffcli.Command {
	return &ffcli.Command{
		Name:       "user",
		ShortUsage: "yardline user <command> NAME [flags]",
		ShortHelp:  "edit who may sign in with --auth users",
		LongHelp: `A broker that runs takes a change within two seconds. Passwords are read from the
terminal, or from the first line of standard input.`,
		FlagSet: groupFlags("yardline user"),
		Subcommands: []*ffcli.Command{
			userAddCommand(std),
			userPasswordCommand(std),
			userRolesCommand(std),
			userDisabledCommand(std, "disable", "keep a user out; their sessions end", true),
			userDisabledCommand(std, "enable", "let a disabled user in again", false),
			userListCommand(std),
		},
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("unknown command %q; see yardline user --help", args[0])}
			}
			return flag.ErrHelp
		},
	}
}

// userAddCommand returns the command that adds a user.
func userAddCommand(std standardStreams) *ffcli.Command {
	add := func(path, name string, given userFlags) error {
		hash, err := newPassword(std)
		if err != nil {
			return err
		}
		u := identity.User{
			ID:       cmp.Or(*given.id, name),
			Name:     name,
			Password: hash,
			Roles:    given.roles(),
			Employee: *given.employee,
		}
		return identity.EditUsers(path, func(users []identity.User) ([]identity.User, error) {
			return append(users, u), nil
		})
	}
	return userCommand(std, "add", "add a user", []string{"roles", "employee", "id"}, add)
}

// userPasswordCommand returns the command that sets a password.
func userPasswordCommand(std standardStreams) *ffcli.Command {
	setPassword := func(path, name string, _ userFlags) error {
		hash, err := newPassword(std)
		if err != nil {
			return err
		}
		return identity.EditUser(path, name, func(u *identity.User) error { u.Password = hash; return nil })
	}
	return userCommand(std, "passwd", "set a user's password; their sessions end", nil, setPassword)
}

// userRolesCommand returns the command that replaces the roles or the employee id.
func userRolesCommand(std standardStreams) *ffcli.Command {
	setRoles := func(path, name string, given userFlags) error {
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
	}
	return userCommand(std, "roles", "replace a user's roles, their employee id, or both",
		[]string{"roles", "employee"}, setRoles)
}

// userDisabledCommand returns the command disable or enable. disabled is the value that the
// command gives to User.Disabled.
func userDisabledCommand(std standardStreams, name, help string, disabled bool) *ffcli.Command {
	setDisabled := func(path, name string, _ userFlags) error {
		return identity.EditUser(path, name, func(u *identity.User) error { u.Disabled = disabled; return nil })
	}
	return userCommand(std, name, help, nil, setDisabled)
}

// userFlags has the flags of the commands that edit one user. Each command has only some
// of them; the others keep their zero values.
type userFlags struct {
	data, id, roleNames *string
	employee            *int64
	set                 map[string]bool // names of the flags that the command line sets
}

// roles returns the roles that the flag names.
func (f userFlags) roles() []access.Role { return parseRoles(*f.roleNames) }

// parseRoles returns the roles in a comma-separated list. It does not check them.
func parseRoles(names string) (roles []access.Role) {
	for _, name := range splitList(names) {
		roles = append(roles, access.Role(name))
	}
	return roles
}

// userCommand returns a command that edits one user. It has the flags --data and those
// that optional names. The user's name may come before the flags or after them. edit gets
// the path of the users file. The command returns an error of edit as a *broker.Misuse.
func userCommand(
	std standardStreams,
	name, help string,
	optional []string,
	edit func(path, user string, given userFlags) error,
) *ffcli.Command {
	fs := commandFlags("yardline user " + name)
	given := userFlags{
		data:      fs.String("data", "./data", "the broker's data `directory`"),
		roleNames: new(string),
		id:        new(string),
		employee:  new(int64),
	}
	if slices.Contains(optional, "roles") {
		fs.StringVar(given.roleNames, "roles", "",
			"`roles`, comma separated: dispatcher, yard, hr, manager, admin, service")
	}
	if slices.Contains(optional, "employee") {
		fs.Int64Var(given.employee, "employee", 0, "the user's employee `id`")
	}
	if slices.Contains(optional, "id") {
		fs.StringVar(given.id, "id", "",
			"the user's `id`, which events carry as the actor; the name where none is given")
	}
	return &ffcli.Command{
		Name:       name,
		ShortUsage: "yardline user " + name + " NAME [flags]",
		ShortHelp:  help,
		FlagSet:    fs,
		Exec: func(_ context.Context, args []string) error {
			user, err := oneArgument(fs, args, "one NAME (whose?)")
			if err != nil {
				return err
			}
			given.set = map[string]bool{}
			fs.Visit(func(f *flag.Flag) { given.set[f.Name] = true })
			err = edit(identity.UsersPath(*given.data), user, given)
			var misuse *broker.Misuse
			if err != nil && !errors.As(err, &misuse) {
				return &broker.Misuse{Reason: err.Error()}
			}
			if err == nil {
				fmt.Fprintf(std.out, "%s: done\n", user)
			}
			return err
		},
	}
}

// userListCommand returns the command that prints the users.
func userListCommand(std standardStreams) *ffcli.Command {
	fs := commandFlags("yardline user list")
	data := fs.String("data", "./data", "the broker's data `directory`")
	return &ffcli.Command{
		Name:       "list",
		ShortUsage: "yardline user list [flags]",
		ShortHelp:  "print who there is",
		FlagSet:    fs,
		Exec: func(_ context.Context, args []string) error {
			if len(args) > 0 {
				return &broker.Misuse{Reason: fmt.Sprintf("user list takes no arguments, only flags: %q", args[0])}
			}
			w := tabwriter.NewWriter(std.out, 0, 2, 2, ' ', 0)
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

// newPassword reads a password and returns its hash for the users file.
func newPassword(std standardStreams) (hash string, err error) {
	password, err := readPassword(std)
	if err != nil {
		return "", err
	}
	if hash, err = identity.HashPassword(password); err != nil {
		return "", &broker.Misuse{Reason: err.Error()}
	}
	return hash, nil
}

// readPassword reads a password. On a terminal it asks twice and shows nothing of the
// password. Otherwise it reads the first line of standard input.
func readPassword(std standardStreams) (string, error) {
	in, isFile := std.in.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(event.SkipByteOrderMark(std.in)).ReadString('\n')
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
		fmt.Fprint(std.err, prompt)
		text, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(std.err)
		return string(text), err
	}
	first, err := ask("New password: ")
	if err != nil {
		return "", err
	}
	if second, err := ask("Once more: "); err != nil || second != first {
		return "", &broker.Misuse{Reason: "the two are not the same"}
	}
	return first, nil
}
