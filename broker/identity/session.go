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
	// start signs a user in: a fresh session, its cookie on the response. A
	// session that the request had is ended. It returns the name of that one.
	start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended string, err error)
	// end signs out: the session is forgotten and its cookie removed. It
	// returns the session's name, "" where there was none.
	end(w http.ResponseWriter, r *http.Request) (ended string, err error)
	// find returns the session of a request. The error is ErrNone where there
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
}

const (
	cookieName      = "yardline_session"
	sessionLifetime = 12 * time.Hour
)

// sessionName names a session in memory and logs without giving its secret
// away.
func sessionName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "s-" + hex.EncodeToString(sum[:8])
}
