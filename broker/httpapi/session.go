package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
)

// session is the answer of /api/session: who is signed in, and who may.
type session struct {
	User   *user    `json:"user"` // null where nobody is signed in
	Grant  string   `json:"grant,omitempty"`
	Users  []string `json:"users"`   // who may sign in by name alone
	SignIn string   `json:"sign_in"` // how: name, password, or provider for elsewhere
}

type user struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
	Tenant   string        `json:"tenant,omitempty"`
}

func (a *API) sessionOf(g *access.Grant) session {
	s := session{Users: []string{}}
	s.Users = append(s.Users, a.Authority.Names()...)
	s.SignIn = "provider"
	if a.Authority.Directory != nil {
		s.SignIn = "password"
	}
	if len(s.Users) > 0 {
		s.SignIn = "name"
	}
	if g != nil {
		s.User = &user{g.User, g.Name, append([]access.Role{}, g.Roles...), g.Employee, g.Tenant}
		s.Grant = g.ID()
	}
	return s
}

// whoAmI is GET /api/session. Not to be signed in is an answer, no error.
func (a *API) whoAmI(w http.ResponseWriter, r *http.Request) {
	p, err := a.Authority.Authenticate(r)
	switch {
	case errors.Is(err, identity.ErrNone), errors.Is(err, identity.ErrExpired), errors.Is(err, identity.ErrInvalid):
		writeJSON(w, http.StatusOK, a.sessionOf(nil))
	case err != nil:
		a.Refuse(w, r, err)
	default:
		writeJSON(w, http.StatusOK, a.sessionOf(&p.Grant))
	}
}

// maxSignIn bounds the body of a sign-in, in bytes.
const maxSignIn = 4 << 10

// signIn is POST /api/session.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignIn)).Decode(&body); err != nil || body.User == "" {
		a.Refuse(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_sign_in", Title: "The sign-in is not valid", Detail: `Send {"user":"…","password":"…"}; demo users have no password.`,
			Errors: []event.FieldError{{Pointer: "/user", Code: "required", Expected: "the name of a user"}}})
		return
	}
	if err := a.maySignIn(body.User, a.address(r)); err != nil {
		a.Refuse(w, r, err)
		return
	}
	g, ended, err := a.Authority.SignIn(w, r, body.User, body.Password)
	if errors.Is(err, identity.ErrUnknown) {
		requestLog(r).Warn("sign-in failed", "address", a.address(r))
	}
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.signedOut(r, ended)
	requestLog(r).Info("signed in", "actor", g.Actor(), "address", a.address(r))
	writeJSON(w, http.StatusOK, a.sessionOf(&g))
}

// signOut is DELETE /api/session. Who is not signed in is signed out already.
func (a *API) signOut(w http.ResponseWriter, r *http.Request) {
	ended, err := a.Authority.SignOut(w, r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.signedOut(r, ended)
	w.WriteHeader(http.StatusNoContent)
}

// signedOut ends what a sign-in has opened, and the pushes to its devices.
func (a *API) signedOut(r *http.Request, credential string) {
	a.open.signedOut(credential)
	if a.Push == nil {
		return
	}
	if err := a.Push.SignedOut(r.Context(), credential); err != nil {
		requestLog(r).Error("a device may still be pushed to after a sign-out", "error", err)
	}
}
