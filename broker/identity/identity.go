package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/snd-rental/yardline/shared/access"
)

// A Principal is who sent a request.
type Principal struct {
	Grant      access.Grant
	Credential string    // names the session or token, without its secret
	Expires    time.Time // the grant ends then
	Person     bool      // signed in, here or at the issuer: no program with a token of ours
	Stamp      string    // of Directory.User, where they signed in here: see Authority.Still
}

// Errors of authentication.
var (
	ErrNone     = errors.New("identity: not signed in")
	ErrExpired  = errors.New("identity: expired")
	ErrInvalid  = errors.New("identity: not valid")
	ErrUnknown  = errors.New("identity: no such user, or another password")
	ErrNoSignIn = errors.New("identity: nobody signs in here")
	ErrNoKeys   = errors.New("identity: the issuer's keys are not known yet")
)

// A Directory knows who may sign in. It is safe for concurrent use.
type Directory interface {
	// SignIn returns the grant of a user. The error is ErrUnknown whether the
	// user or the password is wrong, and comes as late in both cases.
	SignIn(user, password string) (access.Grant, error)
	// User returns the grant of somebody who has signed in, and a stamp that
	// changes when their sessions end. ErrUnknown where they may no longer.
	User(name string) (g access.Grant, stamp string, err error)
	// Names are who may sign in by name alone.
	Names() []string
	// Refresh takes in what has changed, and tells whether anything has.
	Refresh() (changed bool, err error)
}

// An Authority knows who somebody is. It is safe for concurrent use.
type Authority struct {
	Tokens    *Tokens
	Sessions  Sessions  // nil without a Directory
	Shared    bool      // other brokers keep their sessions in the same store
	Directory Directory // nil where nobody signs in here
	Issuer    *Issuer   // whose tokens are taken beside our own; may be nil
	Vouched   bool      // a gate in front says who it is; see Vouch
	Tenants   bool      // credentials name a tenant: the edge alone has several
}

// Authenticate reads who sent a request: a bearer token if there is one, else
// the cookie of the issuer's token or of the session. The error is one of
// ErrNone, ErrExpired and ErrInvalid, or that of the store.
func (a *Authority) Authenticate(r *http.Request) (Principal, error) {
	if a.Vouched {
		return Vouched(r.Header)
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, ErrInvalid
		}
		return a.Verify(strings.TrimSpace(token))
	}
	if a.Issuer != nil {
		if token := a.Issuer.cookie(r); token != "" {
			return a.Verify(token)
		}
	}
	if a.Directory == nil {
		return Principal{}, ErrNone
	}
	s, err := a.Sessions.find(r)
	if err != nil {
		return Principal{}, err
	}
	g, stamp, err := a.Directory.User(s.user)
	if err != nil || stamp != s.stamp {
		return Principal{}, ErrNone // the user is gone, or has another password
	}
	return Principal{Grant: g, Credential: s.name, Expires: s.expires, Person: true, Stamp: stamp}, nil
}

// Still is what somebody may by now who signed in here as g, and where their
// stamp was this. ok is false where they may no longer.
func (a *Authority) Still(g access.Grant, stamp string) (now access.Grant, ok bool) {
	if a.Directory == nil {
		return now, false
	}
	now, other, err := a.Directory.User(g.Name)
	return now, err == nil && other == stamp && now.User == g.User
}

// Verify reads a bearer token, our own or the issuer's.
func (a *Authority) Verify(token string) (Principal, error) {
	verify := a.Tokens.Verify
	if a.Issuer != nil && !ours(token) {
		verify = a.Issuer.Verify
	}
	p, err := verify(token)
	if err == nil && (p.Grant.Tenant != "") != a.Tenants {
		return Principal{}, fmt.Errorf("%w: a token of a tenant is for the edge, and only such a token", ErrInvalid)
	}
	return p, err
}

// SignIn starts a session for who knows the password, in place of the one that
// the request had: ended names that.
func (a *Authority) SignIn(w http.ResponseWriter, r *http.Request, user, password string) (g access.Grant, ended string, err error) {
	if a.Directory == nil {
		return g, "", ErrNoSignIn
	}
	if g, err = a.Directory.SignIn(user, password); err != nil {
		return g, "", err
	}
	g, stamp, err := a.Directory.User(g.Name)
	if err != nil {
		return g, "", err
	}
	ended, err = a.Sessions.start(w, r, g.Name, stamp)
	return g, ended, err
}

// SignOut forgets what the request was signed in by, and names it, "" where it
// was nothing.
func (a *Authority) SignOut(w http.ResponseWriter, r *http.Request) (ended string, err error) {
	if a.Vouched { // who is in front takes the cookie back
		p, err := Vouched(r.Header)
		if errors.Is(err, ErrNone) {
			return "", nil
		}
		return p.Credential, err
	}
	if a.Issuer != nil {
		if token := a.Issuer.cookie(r); token != "" {
			a.Issuer.forget(w)
			return tokenName(token), nil
		}
	}
	if a.Sessions == nil {
		return "", nil
	}
	return a.Sessions.end(w, r)
}

// Names are who may sign in by name alone.
func (a *Authority) Names() []string {
	if a.Directory == nil {
		return nil
	}
	return a.Directory.Names()
}

// Refresh takes in what has changed on disk and at the issuer: users, roles,
// keys. changed tells that grants must be taken afresh.
func (a *Authority) Refresh() (changed bool, err error) {
	changed, err = a.Tokens.Refresh()
	if a.Shared {
		sessions, sessionsErr := a.Sessions.refresh()
		changed, err = changed || sessions, errors.Join(err, sessionsErr)
	}
	if a.Directory != nil {
		users, usersErr := a.Directory.Refresh()
		changed, err = changed || users, errors.Join(err, usersErr)
	}
	if a.Issuer != nil {
		changed = a.Issuer.refresh() || changed
	}
	return changed, err
}

// tokenName names a token without giving it away.
func tokenName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "t-" + hex.EncodeToString(sum[:8])
}

// sameFile tells whether a file is as it was read.
func sameFile(before, now os.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
