package identity

import (
	"slices"

	"github.com/snd-rental/yardline/shared/access"
)

// DemoDirectory is the Directory of a demo or a developer's broker. Its few users
// sign in by their names, without a password.
type DemoDirectory struct {
	// Tenant is the tenant of all users at the edge. It is empty elsewhere.
	Tenant string
}

var _ Directory = DemoDirectory{}

// CheckPassword implements Directory. It ignores the password.
func (d DemoDirectory) CheckPassword(user, _ string) (access.Grant, error) {
	g, _, err := d.User(user)
	return g, err
}

// User implements Directory. The stamp is always empty.
func (d DemoDirectory) User(name string) (access.Grant, string, error) {
	i := slices.IndexFunc(demoUsers, func(g access.Grant) bool { return g.Name == name })
	if i < 0 {
		return access.Grant{}, "", ErrWrongPassword
	}
	g := demoUsers[i]
	g.Tenant = d.Tenant
	return g, "", nil
}

// PasswordlessUsers implements Directory. It returns the names of all users.
func (DemoDirectory) PasswordlessUsers() (names []string) {
	for _, u := range demoUsers {
		names = append(names, u.Name)
	}
	return names
}

// Refresh implements Directory. The users never change.
func (DemoDirectory) Refresh() (bool, error) { return false, nil }

// demoUsers holds one user for each role of a person, named after the role, and an
// employee without a role.
var demoUsers = []access.Grant{
	{User: "1", Name: "dispatcher", Roles: []access.Role{access.Dispatcher}},
	{User: "2", Name: "yard", Roles: []access.Role{access.Yard}},
	{User: "3", Name: "hr", Roles: []access.Role{access.HR}},
	{User: "4", Name: "manager", Roles: []access.Role{access.Manager}},
	{User: "5", Name: "admin", Roles: []access.Role{access.Admin}},
	{User: "7", Name: "employee", Employee: 456},
}
