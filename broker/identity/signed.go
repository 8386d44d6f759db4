package identity

import (
	"crypto/sha256"
	"encoding/hex"
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

// cookieName follows from the key, as there is no store to keep an id in.
func (s SignedSessions) cookieName() string {
	sum := sha256.Sum256(append([]byte("yardline installation "), s.Tokens.currentKey()...))
	return cookieNameOf(hex.EncodeToString(sum[:4]))
}

func (s SignedSessions) start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended []string, err error) {
	expires := time.Now().Add(sessionLifetime)
	token, err := s.Tokens.sign(sessionIssuer, claims{Stamp: stamp}, user, expires)
	if err != nil {
		return nil, err
	}
	for _, f := range s.sessionsOf(r) {
		ended = append(ended, f.name)
	}
	s.setCookie(w, r, s.cookieName(), token, int(sessionLifetime.Seconds()))
	return ended, nil
}

func (s SignedSessions) end(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	for _, f := range s.sessionsOf(r) {
		ended = append(ended, f.name)
		s.setCookie(w, r, f.cookie, "", -1)
	}
	return ended, nil
}

func (s SignedSessions) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: s.Secure(r)})
}

func (s SignedSessions) find(r *http.Request) (foundSession, error) {
	for _, f := range s.sessionsOf(r) {
		return f, nil
	}
	return foundSession{}, ErrNotSignedIn // it has ended, or was never one
}

// all returns the sessions that a request's cookies hold.
func (s SignedSessions) sessionsOf(r *http.Request) (found []foundSession) {
	for _, name := range []string{s.cookieName(), oldCookieName} {
		for _, value := range cookies(r, name) {
			if c, err := s.Tokens.parse(sessionIssuer, value); err == nil {
				found = append(found, foundSession{c.Subject, c.Stamp, sessionName(value), c.ExpiresAt.Time, name})
			}
		}
	}
	return found
}

func (SignedSessions) refresh() (bool, error) { return false, nil }
