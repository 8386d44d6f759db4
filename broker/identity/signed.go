package identity

import (
	"net/http"
	"time"
)

// SignedSessions are all in their cookie, signed: for the edge, where whoever
// looks at a request has no store. One that is ended before its time is
// forgotten by its browser alone.
type SignedSessions struct {
	Tokens *Tokens
	Secure func(*http.Request) bool // marks the cookie for HTTPS only
}

var _ Sessions = SignedSessions{}

// sessionIssuer signs sessions: a cookie's value is no bearer token.
const sessionIssuer = "yardline-session"

func (s SignedSessions) start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended string, err error) {
	expires := time.Now().Add(sessionLifetime)
	token, err := s.Tokens.sign(sessionIssuer, claims{Stamp: stamp}, user, expires)
	if err != nil {
		return "", err
	}
	if ended, err = s.end(w, r); err != nil {
		return "", err
	}
	s.setCookie(w, r, token, int(sessionLifetime.Seconds()))
	return ended, nil
}

func (s SignedSessions) end(w http.ResponseWriter, r *http.Request) (ended string, err error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", nil
	}
	s.setCookie(w, r, "", -1)
	return sessionName(cookie.Value), nil
}

func (s SignedSessions) setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	c := http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.Secure(r)}
	w.Header().Del("Set-Cookie") // of the session before
	http.SetCookie(w, &c)
}

func (s SignedSessions) find(r *http.Request) (foundSession, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return foundSession{}, ErrNone
	}
	c, err := s.Tokens.parse(sessionIssuer, cookie.Value)
	if err != nil {
		return foundSession{}, ErrNone // it has ended, or was never one
	}
	return foundSession{c.Subject, c.Stamp, sessionName(cookie.Value), c.ExpiresAt.Time}, nil
}

func (SignedSessions) refresh() (bool, error) { return false, nil }
