package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/wire"
)

// session is the answer of /api/session: who is signed in, and who may.
type session struct {
	User  *user    `json:"user"` // null where nobody is signed in
	Grant string   `json:"grant,omitempty"`
	Users []string `json:"users"` // who may sign in by name alone
}

type user struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
}

func (a *api) sessionOf(g *access.Grant) session {
	s := session{Users: []string{}}
	for _, u := range a.Authority.Users {
		s.Users = append(s.Users, u.Name)
	}
	if g != nil {
		s.User = &user{g.User, g.Name, append([]access.Role{}, g.Roles...), g.Employee}
		s.Grant = g.ID()
	}
	return s
}

// whoAmI is GET /api/session. Not to be signed in is an answer, no error.
func (a *api) whoAmI(w http.ResponseWriter, r *http.Request) {
	p, err := a.Authority.Authenticate(r)
	switch {
	case errors.Is(err, identity.ErrNone), errors.Is(err, identity.ErrExpired), errors.Is(err, identity.ErrInvalid):
		writeJSON(w, http.StatusOK, a.sessionOf(nil))
	case err != nil:
		a.refuse(w, r, err)
	default:
		writeJSON(w, http.StatusOK, a.sessionOf(&p.Grant))
	}
}

// maxSignIn bounds the body of a sign-in, in bytes.
const maxSignIn = 4 << 10

// signIn is POST /api/session.
func (a *api) signIn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User string `json:"user"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignIn)).Decode(&body); err != nil || body.User == "" {
		a.refuse(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_sign_in", Title: "The sign-in is not valid", Detail: `Send {"user":"…"}.`,
			Errors: []event.FieldError{{Pointer: "/user", Code: "required", Expected: "the name of a user"}}})
		return
	}
	g, err := a.Authority.User(body.User)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	ended, err := a.Authority.Sessions.Start(w, r, g.Name)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.endStreams(ended)
	writeJSON(w, http.StatusOK, a.sessionOf(&g))
}

// signOut is DELETE /api/session. Who is not signed in is signed out already.
func (a *api) signOut(w http.ResponseWriter, r *http.Request) {
	ended, err := a.Authority.Sessions.End(w, r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.endStreams(ended)
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) endStreams(session string) {
	if session != "" {
		a.Hub.CloseWhere(wire.ByeSignedOut, func(s *hub.Subscriber) bool { return s.Session == session })
	}
}
