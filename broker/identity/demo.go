package identity

import (
	"slices"

	"github.com/snd-rental/yardline/shared/access"
)

// Demo is the directory of dev sign-in: everybody is who they say they are.
type DemoDirectory struct {
	Tenant string // whose demo it is, at the edge; else ""
}

var _ Directory = DemoDirectory{}

// SignIn implements Directory; the password is ignored.
func (d DemoDirectory) CheckPassword(user, _ string) (access.Grant, error) {
	g, _, err := d.User(user)
	return g, err
}

// User implements Directory.
func (d DemoDirectory) User(name string) (access.Grant, string, error) {
	i := slices.IndexFunc(demoUsers, func(g access.Grant) bool { return g.Name == name })
	if i < 0 {
		return access.Grant{}, "", ErrWrongPassword
	}
	g := demoUsers[i]
	g.Tenant = d.Tenant
	return g, "", nil
}

// Names implements Directory.
func (DemoDirectory) PasswordlessUsers() (names []string) {
	for _, u := range demoUsers {
		names = append(names, u.Name)
	}
	return names
}

// Refresh implements Directory: nothing changes.
func (DemoDirectory) Refresh() (bool, error) { return false, nil }

// demoUsers are one user of each role, named after it, and an employee with no
// role.
var demoUsers = []access.Grant{
	{User: "1", Name: "dispatcher", Roles: []access.Role{access.Dispatcher}},
	{User: "2", Name: "yard", Roles: []access.Role{access.Yard}},
	{User: "3", Name: "hr", Roles: []access.Role{access.HR}},
	{User: "4", Name: "manager", Roles: []access.Role{access.Manager}},
	{User: "5", Name: "admin", Roles: []access.Role{access.Admin}},
	{User: "7", Name: "employee", Employee: 456},
}
