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

// Role is what a principal may be.
type Role string

// The roles. Service is a back end that publishes; it reads nothing.
const (
	Dispatcher Role = "dispatcher"
	Yard       Role = "yard"
	HR         Role = "hr"
	Manager    Role = "manager"
	Admin      Role = "admin"
	Service    Role = "service"
)

// Roles lists the roles.
var Roles = []Role{Dispatcher, Yard, HR, Manager, Admin, Service}

// A Grant is who somebody is and what they may. It is a value: a change of
// any part makes another grant with another ID.
type Grant struct {
	User     string // user id, or the name of a service; never empty
	Name     string // for people
	Roles    []Role // sorted, each once; may be empty
	Employee int64  // employee id, 0 for none
	Tenant   string // the company, where several share an installation (the edge); else ""
}

// MaxUser is the most bytes of a user id: as many as the subject of an identity
// provider may have (OpenID Connect Core 1.0, section 2).
const MaxUser = 255

// CheckUser refuses a text that is no user id. An id has 1 to MaxUser bytes of
// UTF-8 without control characters. Blanks are allowed, because providers use them.
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

// NewGrant normalises and checks a grant. The error names the unknown role.
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

// InTenant returns the grant as one of a tenant's. The name of a tenant has 1 to 64
// letters, digits, - and _.
func (g Grant) InTenant(tenant string) (Grant, error) {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if tenant == "" || len(tenant) > 64 || strings.ContainsFunc(tenant, odd) {
		return Grant{}, fmt.Errorf("a tenant's name has 1 to 64 letters, digits, - and _, not %q", tenant)
	}
	g.Tenant = tenant
	return g, nil
}

// HasRole reports whether the grant includes a role.
func (g Grant) HasRole(r Role) bool { return slices.Contains(g.Roles, r) }

// Actor is how the grant signs what it publishes.
func (g Grant) Actor() string {
	if g.HasRole(Service) {
		return "service:" + g.User
	}
	return "user:" + g.User
}

// ID changes with everything that sight depends on. A client that finds
// another one than its store was filled under must empty the store.
func (g Grant) ID() string {
	of := g.Actor() + "\n" + strconv.FormatInt(g.Employee, 10) + "\n" + join(g.Roles)
	if g.Tenant != "" {
		of += "\n" + g.Tenant
	}
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:8])
}

func join(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
