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

// A session is the answer of /api/session: the user who is signed in, and how users can
// sign in.
type session struct {
	User   *user    `json:"user"`            // null if no user is signed in
	Grant  string   `json:"grant,omitempty"` // the id of the user's grant
	Users  []string `json:"users"`           // the users who can sign in without a password
	SignIn string   `json:"sign_in"`         // "name", "password", or "provider" for signing in elsewhere

	Warning *warning `json:"warning,omitempty"` // nil means that there is nothing to explain
}

// A warning explains to users why they are unexpectedly signed in or signed out. Its
// fields are those of a [Problem].
type warning struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// warningOf returns the warning that explains err.
func warningOf(err error) *warning {
	p := problemOf(err)
	return &warning{p.Code, p.Title, p.Detail}
}

var (
	stillSignedIn = newProblem(problem.ProviderKeepsSignIn)
	tokenSignOut  = newProblem(problem.TokenKeepsSignIn)
	needsTLS      = newProblem(problem.NeedsTLS)
)

// isPlainHTTP reports whether a browser has loaded the page of a request over plain HTTP,
// and would therefore drop the session's cookie, which is marked for HTTPS. isPlainHTTP
// reads the page's own address, because a proxy in front may end TLS without telling the
// broker.
func isPlainHTTP(r *http.Request) bool {
	page, err := url.Parse(cmp.Or(r.Header.Get("Origin"), r.Header.Get("Referer")))
	return err == nil && page.Scheme == "http" && page.Host == r.Host && r.TLS == nil && NeedsSecureCookie(r)
}

// A user is a signed-in user as the user's own browser sees it.
type user struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Roles    []access.Role `json:"roles"`
	Employee int64         `json:"employee,omitempty"`
	Tenant   string        `json:"tenant,omitempty"`
}

// sessionOf returns the session of a grant. nil stands for a client that is not signed in.
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

// handleGetSession is GET /api/session. It answers 200 to a client that is not signed in,
// too, and explains why its cookie or token was refused, if it has one.
func (a *API) handleGetSession(w http.ResponseWriter, r *http.Request) {
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

// maxSignIn is the size limit of the body of a sign-in, in bytes.
const maxSignIn = 4 << 10

// handlePostSession is POST /api/session. It signs a user in. The new session replaces the
// one that the request has, if any.
func (a *API) handlePostSession(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	text := event.SkipByteOrderMark(http.MaxBytesReader(w, r.Body, maxSignIn))
	if err := json.NewDecoder(text).Decode(&body); err != nil || body.User == "" {
		a.Refuse(w, r, newProblem(problem.InvalidSignIn,
			event.FieldError{Pointer: "/user", Code: event.CodeRequired, Expected: "the name of a user"}))
		return
	}
	if err := a.checkSignInRate(body.User, a.clientAddress(r)); err != nil {
		a.Refuse(w, r, err)
		return
	}
	if a.Authority.Directory != nil && isPlainHTTP(r) {
		a.Refuse(w, r, needsTLS)
		return
	}
	g, ended, err := a.Authority.SignIn(w, r, body.User, body.Password)
	if errors.Is(err, identity.ErrWrongPassword) {
		requestLog(r).Warn("sign-in failed", "address", a.clientAddress(r))
	}
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.endSignIns(r, ended)
	requestLog(r).Info("signed in", "actor", g.Actor(), "address", a.clientAddress(r))
	writeJSON(w, http.StatusOK, a.sessionOf(&g))
}

// handleDeleteSession is DELETE /api/session. It signs the user out. A client that is not
// signed in is already signed out, which is no error.
func (a *API) handleDeleteSession(w http.ResponseWriter, r *http.Request) {
	ended, err := a.Authority.SignOut(w, r)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	a.endSignIns(r, ended)
	if a.hasBearer(r) {
		a.Refuse(w, r, tokenSignOut)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hasBearer reports whether a request has a valid bearer token, which no sign-out can end.
func (a *API) hasBearer(r *http.Request) bool {
	token, err := identity.BearerToken(r.Header)
	if err == nil && token != "" && !a.Authority.TrustForwardedIdentity {
		_, err = a.Authority.Verify(token)
		return err == nil
	}
	return false
}

// endSignIns ends the streams and the push devices of credentials that have been signed
// out.
func (a *API) endSignIns(r *http.Request, credentials []string) {
	for _, credential := range credentials {
		a.grants.closeSignedOut(credential)
		if a.Push == nil {
			continue
		}
		if err := a.Push.ForgetSignIn(r.Context(), credential); err != nil {
			requestLog(r).Error("a device may still be pushed to after a sign-out", "error", err)
		}
	}
}
