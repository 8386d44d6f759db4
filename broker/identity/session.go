package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// Sessions are what a sign-in starts. Their methods may be called
// concurrently.
type Sessions interface {
	// start signs a user in: a fresh session, its cookie on the response.
	// Sessions that the request had are ended. It returns their names.
	start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended []string, err error)
	// end signs out: the request's sessions are forgotten and their cookies
	// removed. It returns their names.
	end(w http.ResponseWriter, r *http.Request) (ended []string, err error)
	// find returns the session of a request. The error is ErrNotSignedIn where there
	// is none, or that of the store.
	find(r *http.Request) (foundSession, error)
	// refresh tells whether a session has ended, here or at another broker on
	// the same log, since it was asked last.
	refresh() (changed bool, err error)
}

// A foundSession is one that has not ended.
type foundSession struct {
	user, stamp, name string
	expires           time.Time
	cookie            string // the name of its cookie
}

const (
	// oldCookieName was the name of the cookie at every installation. Sessions
	// that were started under it go on until they end.
	oldCookieName   = "yardline_session"
	sessionLifetime = 12 * time.Hour
)

// cookieNameOf is the name of the session's cookie at an installation. Cookies
// know no ports, so installations on one host need names of their own.
func cookieNameOf(installation string) string { return oldCookieName + "_" + installation }

// sessionName names a session in memory and logs without giving its secret
// away.
func sessionName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "s-" + hex.EncodeToString(sum[:8])
}
