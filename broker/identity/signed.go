package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// SignedSessions keeps each session in its cookie alone, signed. It is for the
// edge, where the program that authenticates requests has no store. When a user
// signs out, the browser drops the cookie, but a copy of the cookie stays valid
// until it expires.
type SignedSessions struct {
	// Tokens signs and verifies the sessions. It is required.
	Tokens *Tokens
	// Secure tells whether the cookie for a request must be limited to HTTPS. It is
	// required.
	Secure func(*http.Request) bool
}

var _ Sessions = SignedSessions{}

// sessionIssuer is the claim iss of sessions. It differs from tokenIssuer, so that
// nobody can use a cookie's value as a bearer token.
const sessionIssuer = "yardline-session"

// cookieName returns the name of the cookie. It is derived from the signing key,
// because there is no store for an installation's id.
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
	for _, cookie := range s.cookieNames() {
		ended = append(ended, s.sessionsOf(r, cookie)...)
	}
	s.setCookie(w, r, s.cookieName(), token, int(sessionLifetime.Seconds()))
	return ended, nil
}

func (s SignedSessions) end(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	for _, cookie := range s.cookieNames() {
		for _, name := range s.sessionsOf(r, cookie) {
			ended = append(ended, name)
			s.setCookie(w, r, cookie, "", -1)
		}
	}
	return ended, nil
}

// setCookie writes a session cookie that lasts for maxAge seconds. A negative
// maxAge removes the cookie.
func (s SignedSessions) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: s.Secure(r)})
}

func (s SignedSessions) cookieNames() []string { return []string{s.cookieName(), oldCookieName} }

func (s SignedSessions) find(_ context.Context, values []string) (foundSession, error) {
	for _, value := range values {
		if f, ok := s.parse(value); ok {
			return f, nil
		}
	}
	return foundSession{}, ErrNotSignedIn
}

// sessionsOf returns the names of the valid sessions in a request's cookies of one name.
func (s SignedSessions) sessionsOf(r *http.Request, cookie string) (names []string) {
	for _, value := range cookies(r, cookie) {
		if f, ok := s.parse(value); ok {
			names = append(names, f.name)
		}
	}
	return names
}

// parse returns the session in the value of a cookie. ok is false when the session is not
// valid.
func (s SignedSessions) parse(value string) (f foundSession, ok bool) {
	c, err := s.Tokens.parse(sessionIssuer, value)
	if err != nil {
		return f, false
	}
	return foundSession{user: c.Subject, stamp: c.Stamp, name: sessionName(value), expires: c.ExpiresAt.Time}, true
}

// refresh returns false, because no other program can end a signed session.
func (SignedSessions) refresh() (bool, error) { return false, nil }
