package identity

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
)

// A Principal is who sent a request.
type Principal struct {
	Grant   access.Grant
	Session string    // names the session, "" for a token
	Expires time.Time // the grant ends then
}

// Errors of authentication.
var (
	ErrNone    = errors.New("identity: not signed in")
	ErrExpired = errors.New("identity: expired")
	ErrInvalid = errors.New("identity: not valid")
	ErrUnknown = errors.New("identity: no such user")
)

// An Authority knows who somebody is. It is safe for concurrent use.
type Authority struct {
	Tokens   *Tokens
	Sessions *Sessions
	Users    []access.Grant // who may sign in by name alone: the demo users
}

// Authenticate reads who sent a request: a bearer token if there is one, else
// the session's cookie. The error is one of ErrNone, ErrExpired and
// ErrInvalid, or that of the store.
func (a *Authority) Authenticate(r *http.Request) (Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, ErrInvalid
		}
		return a.Tokens.Verify(strings.TrimSpace(token))
	}
	user, session, expires, err := a.Sessions.find(r)
	if err != nil {
		return Principal{}, err
	}
	g, err := a.User(user)
	if err != nil {
		return Principal{}, ErrNone // the user is gone
	}
	return Principal{Grant: g, Session: session, Expires: expires}, nil
}

// User returns the grant of somebody who may sign in, by name.
func (a *Authority) User(name string) (access.Grant, error) {
	i := slices.IndexFunc(a.Users, func(g access.Grant) bool { return g.Name == name })
	if i < 0 {
		return access.Grant{}, ErrUnknown
	}
	return a.Users[i], nil
}

// DemoUsers are one user of each role, named after it, and an employee with
// no role.
func DemoUsers() []access.Grant {
	return []access.Grant{
		{User: "1", Name: "dispatcher", Roles: []access.Role{access.Dispatcher}},
		{User: "2", Name: "yard", Roles: []access.Role{access.Yard}},
		{User: "3", Name: "hr", Roles: []access.Role{access.HR}},
		{User: "4", Name: "manager", Roles: []access.Role{access.Manager}},
		{User: "5", Name: "admin", Roles: []access.Role{access.Admin}},
		{User: "7", Name: "employee", Employee: 456},
	}
}
