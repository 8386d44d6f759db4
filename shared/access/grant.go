package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Role is a role of a principal. A principal may have several, or none.
type Role string

// The roles. Service is for a back end, which publishes events and reads none.
const (
	Dispatcher Role = "dispatcher"
	Yard       Role = "yard"
	HR         Role = "hr"
	Manager    Role = "manager"
	Admin      Role = "admin"
	Service    Role = "service"
)

// Roles lists the roles. It must not be changed.
var Roles = []Role{Dispatcher, Yard, HR, Manager, Admin, Service}

// A Grant identifies a principal and holds its rights. It is a value: a grant with other
// rights is another grant, with another ID.
type Grant struct {
	// User is the id of a user, or the name of a service. It is never empty.
	User string
	// Name is the name of the user, for people. It may be empty.
	Name string
	// Roles are the roles, sorted, each once. A grant may have none.
	Roles []Role
	// Employee is the employee id of the user. 0 means none.
	Employee int64
	// Tenant is the company of the principal when several companies share an installation,
	// at the edge. Otherwise it is "".
	Tenant string
}

// MaxUser is the length of a user id, in bytes. The subject of an identity provider may be
// as long (OpenID Connect Core 1.0, section 2).
const MaxUser = 255

// CheckUser returns an error for a text that is not a user id. An id has 1 to [MaxUser]
// bytes of UTF-8 without control characters. Blanks are allowed, because providers use
// them.
func CheckUser(user string) error {
	switch {
	case user == "":
		return errors.New("the user id is empty")
	case len(user) > MaxUser:
		return fmt.Errorf("the user id has %d bytes; at most %d are possible", len(user), MaxUser)
	case !utf8.ValidString(user) || strings.ContainsFunc(user, unicode.IsControl):
		return errors.New("the user id has control characters, or is not in UTF-8")
	}
	return nil
}

// NewGrant returns a grant with the roles sorted, each once. It returns an error for an
// invalid user id, an unknown role, or a negative employee id.
func NewGrant(user, name string, roles []Role, employee int64) (Grant, error) {
	if err := CheckUser(user); err != nil {
		return Grant{}, err
	}
	for _, r := range roles {
		if !slices.Contains(Roles, r) {
			return Grant{}, fmt.Errorf("unknown role %q; the roles are %s", r, join(Roles))
		}
	}
	if employee < 0 {
		return Grant{}, fmt.Errorf("an employee id is positive, not %d", employee)
	}
	sorted := slices.Clone(roles)
	slices.Sort(sorted)
	return Grant{User: user, Name: name, Roles: slices.Compact(sorted), Employee: employee}, nil
}

// InTenant returns a copy of the grant that belongs to a tenant. The name of a tenant has
// 1 to 64 letters, digits, - and _.
func (g Grant) InTenant(tenant string) (Grant, error) {
	isForbidden := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if tenant == "" || len(tenant) > 64 || strings.ContainsFunc(tenant, isForbidden) {
		return Grant{}, fmt.Errorf("a tenant's name has 1 to 64 letters, digits, - and _, not %q", tenant)
	}
	g.Tenant = tenant
	return g, nil
}

// HasRole reports whether the grant has the role.
func (g Grant) HasRole(r Role) bool { return slices.Contains(g.Roles, r) }

// Actor returns the actor of the events that the grant publishes: user: or service: and
// the id.
func (g Grant) Actor() string {
	if g.HasRole(Service) {
		return "service:" + g.User
	}
	return "user:" + g.User
}

// ID returns a hash of everything that the rights to read depend on. A client whose store
// belongs to another ID must empty the store.
func (g Grant) ID() string {
	rights := g.Actor() + "\n" + strconv.FormatInt(g.Employee, 10) + "\n" + join(g.Roles)
	if g.Tenant != "" {
		rights += "\n" + g.Tenant
	}
	sum := sha256.Sum256([]byte(rights))
	return hex.EncodeToString(sum[:8])
}

// join returns the names of roles as one text, separated by commas.
func join(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
