package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// Sessions keeps users signed in between requests. Its methods are safe for
// concurrent use. Only this package implements it: see StoredSessions and
// SignedSessions.
type Sessions interface {
	// start starts a new session for a user and sets its cookie on the response. It
	// ends the sessions that the request has, and returns their names.
	start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended []string, err error)
	// end ends the sessions of a request, removes their cookies, and returns their
	// names.
	end(w http.ResponseWriter, r *http.Request) (ended []string, err error)
	// cookieNames returns the names of the cookies that may hold a session. The cookies
	// of the first name come first.
	cookieNames() []string
	// find returns the session of the first value of a cookie that has one. The error is
	// ErrNotSignedIn when there is none, or an error of the store.
	find(ctx context.Context, values []string) (foundSession, error)
	// refresh tells whether a session has ended since the last call of refresh, at
	// this broker or at another one on the same log.
	refresh() (changed bool, err error)
}

// A foundSession is a session that has not ended.
type foundSession struct {
	user    string // the name of its user
	stamp   string // the stamp that Directory.User returned at the sign-in
	name    string // made by sessionName
	expires time.Time
}

const (
	// oldCookieName is the name that the cookie once had at every installation. Old
	// sessions under this name stay valid until they end.
	oldCookieName = "yardline_session"
	// sessionLifetime is the time from the sign-in to the end of a session.
	sessionLifetime = 12 * time.Hour
)

// cookieNameOf returns the name of the session cookie of an installation. Browsers
// do not separate cookies by port, so each installation on a host needs its own name.
func cookieNameOf(installation string) string { return oldCookieName + "_" + installation }

// sessionName returns a name for a session that does not reveal its secret. Memory
// and logs hold only this name.
func sessionName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "s-" + hex.EncodeToString(sum[:8])
}
