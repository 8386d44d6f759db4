package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	IsPerson   bool      `json:"Person"` // signed in, here or at the issuer: no program with a token of ours
	Stamp      string    // of Directory.User, where they signed in here: see Authority.CurrentGrant
}

// Errors of authentication.
var (
	ErrNotSignedIn   = errors.New("identity: not signed in")
	ErrExpired       = errors.New("identity: expired")
	ErrInvalid       = errors.New("identity: not valid")
	ErrWrongPassword = errors.New("identity: no such user, or another password")
	ErrNoSignIn      = errors.New("identity: nobody signs in here")
	ErrNoKeys        = errors.New("identity: the issuer's keys are not known yet")
)

// A Directory knows who may sign in. It is safe for concurrent use.
type Directory interface {
	// SignIn returns the grant of a user. The error is ErrWrongPassword whether the
	// user or the password is wrong, and comes as late in both cases.
	CheckPassword(user, password string) (access.Grant, error)
	// User returns the grant of somebody who has signed in, and a stamp that
	// changes when their sessions end. ErrWrongPassword where they may no longer.
	User(name string) (g access.Grant, stamp string, err error)
	// Names are who may sign in by name alone.
	PasswordlessUsers() []string
	// Refresh takes in what has changed, and tells whether anything has.
	Refresh() (changed bool, err error)
}

// An Authority knows who somebody is. It is safe for concurrent use.
type Authority struct {
	Tokens                 *Tokens
	Sessions               Sessions  // nil without a Directory
	SharedSessions         bool      // other brokers keep their sessions in the same store
	Directory              Directory // nil where nobody signs in here
	Issuer                 *Issuer   // whose tokens are taken beside our own; may be nil
	TrustForwardedIdentity bool      // a gate in front says who it is; see EncodeForwardedIdentity
	MultiTenant            bool      // credentials name a tenant: the edge alone has several
}

// Authenticate reads who sent a request: a bearer token if there is one, else
// the cookie of the issuer's token or of the session. The error is one of
// ErrNotSignedIn, ErrExpired, ErrInvalid and ErrNoKeys, or that of the store.
func (a *Authority) Authenticate(r *http.Request) (Principal, error) {
	if a.TrustForwardedIdentity {
		return ParseForwardedIdentity(r.Header)
	}
	token, err := BearerToken(r.Header)
	if err != nil {
		return Principal{}, err
	}
	if token != "" {
		return a.Verify(token)
	}
	if p, err := a.authenticateByIssuerCookie(r); !errors.Is(err, ErrNotSignedIn) {
		return p, err
	}
	if a.Directory == nil {
		return Principal{}, ErrNotSignedIn
	}
	s, err := a.Sessions.find(r)
	if err != nil {
		return Principal{}, err
	}
	g, stamp, err := a.Directory.User(s.user)
	if err != nil || stamp != s.stamp {
		return Principal{}, ErrNotSignedIn // the user is gone, or has another password
	}
	return Principal{Grant: g, Credential: s.name, Expires: s.expires, IsPerson: true, Stamp: stamp}, nil
}

// Bearer returns the bearer token of a request, "" where there is none. Other
// schemes are for a proxy in front: a browser sends the credentials of that to
// the broker, too. Two different tokens are refused.
func BearerToken(h http.Header) (token string, err error) {
	// Proxies may join several fields by commas, which no token has.
	for field := range strings.SplitSeq(strings.Join(h.Values("Authorization"), ","), ",") {
		scheme, value, _ := strings.Cut(strings.TrimSpace(field), " ")
		value = strings.TrimSpace(value)
		if !strings.EqualFold(scheme, "Bearer") || value == "" || value == token {
			continue
		}
		if token != "" {
			return "", &Refusal{Advice: "The request has two bearer tokens. Send one.",
				Cause: errors.New("there are two bearer tokens")}
		}
		token = value
	}
	return token, nil
}

// maxCookies bounds how many cookies of one name are looked at.
const maxCookies = 4

// authenticateByIssuerCookie reads the cookie of the issuer's token. A browser may send
// several of the name, one for the host and one for the domain: the first that is
// good counts. The error is ErrNotSignedIn where there is none.
func (a *Authority) authenticateByIssuerCookie(r *http.Request) (p Principal, err error) {
	err = ErrNotSignedIn
	for _, token := range a.issuerCookies(r) {
		found, refused := a.Verify(token)
		if refused == nil {
			return found, nil
		}
		// The error of a token that may be good, or was good once, is of more use
		// than that of a wrong one.
		if err == ErrNotSignedIn || errors.Is(refused, ErrNoKeys) || errors.Is(refused, ErrExpired) && !errors.Is(err,
			ErrNoKeys) {
			err = refused
		}
	}
	return Principal{}, err
}

func (a *Authority) issuerCookies(r *http.Request) []string {
	if a.Issuer == nil {
		return nil
	}
	return cookies(r, a.Issuer.c.Cookie)
}

// cookies returns the values of a request's cookies of a name that are not empty.
func cookies(r *http.Request, name string) (values []string) {
	for _, c := range r.CookiesNamed(name) {
		if c.Value != "" && len(values) < maxCookies {
			values = append(values, c.Value)
		}
	}
	return values
}

// CurrentGrant is what somebody may by now who signed in here as g, and where their
// stamp was this. ok is false where they may no longer.
func (a *Authority) CurrentGrant(g access.Grant, stamp string) (now access.Grant, ok bool) {
	if a.Directory == nil {
		return now, false
	}
	now, other, err := a.Directory.User(g.Name)
	return now, err == nil && other == stamp && now.User == g.User
}

// Verify reads a bearer token, our own or the issuer's.
func (a *Authority) Verify(token string) (Principal, error) {
	verify := a.Tokens.Verify
	if a.Issuer != nil && !isOurs(token) {
		verify = a.Issuer.Verify
	}
	p, err := verify(token)
	if err == nil && (p.Grant.Tenant != "") != a.MultiTenant {
		advice := "It names no tenant, and this installation has several. Get one that names its tenant."
		if !a.MultiTenant {
			advice = "It is for one tenant of a shared installation, and this installation is no such one."
		}
		return Principal{},
			&Refusal{Advice: advice, Cause: errors.New("a token of a tenant is for the edge, and only such a token")}
	}
	return p, err
}

// SignIn starts a session for a user who knows the password, in place of the
// request's own sessions. ended names those.
func (a *Authority) SignIn(w http.ResponseWriter, r *http.Request, user, password string) (g access.Grant,
	ended []string, err error) {
	if a.Directory == nil {
		return g, nil, ErrNoSignIn
	}
	if g, err = a.Directory.CheckPassword(user, password); err != nil {
		return g, nil, err
	}
	g, stamp, err := a.Directory.User(g.Name)
	if err != nil {
		return g, nil, err
	}
	ended, err = a.Sessions.start(w, r, g.Name, stamp)
	return g, ended, err
}

// SignOut forgets the cookies that the request was signed in by, and names their
// credentials.
func (a *Authority) SignOut(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	if a.TrustForwardedIdentity { // the gate in front takes the cookies back
		p, err := ParseForwardedIdentity(r.Header)
		if errors.Is(err, ErrNotSignedIn) {
			return nil, nil
		}
		return []string{p.Credential}, err
	}
	tokens := a.issuerCookies(r)
	for _, token := range tokens {
		ended = append(ended, a.Issuer.credentialOf(token))
	}
	if len(tokens) > 0 {
		a.Issuer.dropCookie(w)
		markSignedOut(w, tokens)
	}
	if a.Sessions == nil {
		return ended, nil
	}
	sessions, err := a.Sessions.end(w, r)
	return append(ended, sessions...), err
}

// Names are who may sign in by name alone.
func (a *Authority) PasswordlessUsers() []string {
	if a.Directory == nil {
		return nil
	}
	return a.Directory.PasswordlessUsers()
}

// Refresh takes in what has changed on disk and at the issuer: users, roles,
// keys. changed tells that grants must be taken afresh.
func (a *Authority) Refresh() (changed bool, err error) {
	changed, err = a.Tokens.Refresh()
	if a.SharedSessions {
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

// isUnchanged tells whether a file is as it was read.
func isUnchanged(before, now os.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
