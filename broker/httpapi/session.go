package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
)

// session is the answer of /api/session: who is signed in, and who may.
type session struct {
	User   *user    `json:"user"` // null where nobody is signed in
	Grant  string   `json:"grant,omitempty"`
	Users  []string `json:"users"`   // who may sign in by name alone
	SignIn string   `json:"sign_in"` // how: name, password, or provider for elsewhere

	Warning *warning `json:"warning,omitempty"` // nil means that there is nothing to explain
}

// A warning explains to users why they are unexpectedly signed in or signed out.
// Its fields are those of a Problem.
type warning struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func warningOf(err error) *warning {
	p := problemOf(err)
	return &warning{p.Code, p.Title, p.Detail}
}

var (
	stillSignedIn = newProblem(problem.ProviderKeepsSignIn)
	tokenSignOut  = newProblem(problem.TokenKeepsSignIn)
	needsTLS      = newProblem(problem.NeedsTLS)
)

// isPlainHTTP tells whether a browser has loaded the page of a request over plain
// HTTP. Such a browser would drop the session's cookie, which is marked for HTTPS.
// isPlainHTTP reads the page's own address, because a proxy in front may end TLS
// without telling the broker.
func isPlainHTTP(r *http.Request) bool {
	page, err := url.Parse(cmp.Or(r.Header.Get("Origin"), r.Header.Get("Referer")))
	return err == nil && page.Scheme == "http" && page.Host == r.Host && r.TLS == nil && NeedsSecureCookie(r)
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
	s.Users = append(s.Users, a.Authority.PasswordlessUsers()...)
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
	case errors.Is(err, identity.ErrNotSignedIn):
		answer := a.sessionOf(nil)
		if a.Authority.Directory != nil && isPlainHTTP(r) {
			answer.Warning = warningOf(needsTLS)
		}
		writeJSON(w, http.StatusOK, answer)
	case errors.Is(err, identity.ErrExpired), errors.Is(err, identity.ErrInvalid):
		a.logRefusal(r, err)
		answer := a.sessionOf(nil)
		answer.Warning = warningOf(err)
		writeJSON(w, http.StatusOK, answer)
	case err != nil:
		a.Refuse(w, r, err)
	default:
		answer := a.sessionOf(&p.Grant)
		if a.Authority.SignOutFailed(w, r) {
			requestLog(r).Warn("a sign-out did not work: the browser kept the cookie; check --jwt-cookie-domain",
				"actor", p.Grant.Actor())
			answer.Warning = warningOf(stillSignedIn)
		}
		writeJSON(w, http.StatusOK, answer)
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
	if err := json.NewDecoder(event.SkipByteOrderMark(http.MaxBytesReader(w, r.Body, maxSignIn))).Decode(&body); err != nil ||
		body.User == "" {
		a.Refuse(w, r, newProblem(problem.InvalidSignIn,
			event.FieldError{Pointer: "/user", Code: "required", Expected: "the name of a user"}))
		return
	}
	if err := a.maySignIn(body.User, a.address(r)); err != nil {
		a.Refuse(w, r, err)
		return
	}
	if a.Authority.Directory != nil && isPlainHTTP(r) {
		a.Refuse(w, r, needsTLS)
		return
	}
	g, ended, err := a.Authority.SignIn(w, r, body.User, body.Password)
	if errors.Is(err, identity.ErrWrongPassword) {
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
	if a.hasBearer(r) {
		a.Refuse(w, r, tokenSignOut)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hasBearer tells whether a request carries a bearer token, which no sign-out can
// end.
func (a *API) hasBearer(r *http.Request) bool {
	token, err := identity.BearerToken(r.Header)
	if err == nil && token != "" && !a.Authority.TrustForwardedIdentity {
		_, err = a.Authority.Verify(token)
		return err == nil
	}
	return false
}

// signedOut ends the streams and the pushes of sign-ins that have ended.
func (a *API) signedOut(r *http.Request, credentials []string) {
	for _, credential := range credentials {
		a.open.signedOut(credential)
		if a.Push == nil {
			continue
		}
		if err := a.Push.ForgetSignIn(r.Context(), credential); err != nil {
			requestLog(r).Error("a device may still be pushed to after a sign-out", "error", err)
		}
	}
}
