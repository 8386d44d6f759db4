package identity

import (
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

// setCookie writes a session cookie that lasts for maxAge seconds. A negative
// maxAge removes the cookie.
func (s SignedSessions) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: s.Secure(r)})
}

func (s SignedSessions) find(r *http.Request) (foundSession, error) {
	for _, f := range s.sessionsOf(r) {
		return f, nil
	}
	return foundSession{}, ErrNotSignedIn
}

// sessionsOf returns the valid sessions in the cookies of a request.
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

// refresh returns false, because no other program can end a signed session.
func (SignedSessions) refresh() (bool, error) { return false, nil }
