package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/snd-rental/yardline/shared/access"
)

// A Principal identifies the sender of a request. The edge stores principals and
// forwards them in headers as JSON, so the JSON names of its fields must stay.
type Principal struct {
	// Grant holds the sender's rights.
	Grant access.Grant
	// Credential is a name of the session or token that does not reveal its secret.
	Credential string
	// Expires is the time at which the grant ends.
	Expires time.Time
	// IsPerson is true for users that signed in, here or at the identity provider.
	// It is false for a program with a token of the installation.
	IsPerson bool `json:"Person"`
	// Stamp is the stamp that Directory.User returned for the user. It is empty when
	// the sender did not sign in at this broker. Authority.CurrentGrant needs it.
	Stamp string
}

// Errors of authentication.
var (
	// ErrNotSignedIn means that the request has no credential, or that its session
	// has ended.
	ErrNotSignedIn = errors.New("identity: not signed in")
	// ErrExpired means that the token was valid and is too old now.
	ErrExpired = errors.New("identity: expired")
	// ErrInvalid means that the token is not accepted. See Refusal for the reason.
	ErrInvalid = errors.New("identity: not valid")
	// ErrWrongPassword means that there is no such user, that the user is disabled,
	// or that the password is wrong.
	ErrWrongPassword = errors.New("identity: no such user, or another password")
	// ErrNoSignIn means that the Authority has no Directory.
	ErrNoSignIn = errors.New("identity: nobody signs in here")
	// ErrNoKeys means that the Authority cannot judge the token yet, because the
	// identity provider's keys could not be fetched. The client should try again.
	ErrNoKeys = errors.New("identity: the issuer's keys are not known yet")
)

// A Directory holds the users that may sign in at this broker. Implementations
// must be safe for concurrent use.
type Directory interface {
	// CheckPassword returns the grant of a user. The error is ErrWrongPassword
	// whether the user or the password is wrong. Both cases take the same time.
	CheckPassword(user, password string) (access.Grant, error)
	// User returns the current grant of a user, and a stamp that changes when the
	// user's sessions must end. The error is ErrWrongPassword when the user may no
	// longer sign in.
	User(name string) (g access.Grant, stamp string, err error)
	// PasswordlessUsers returns the names of the users that may sign in without a
	// password. It returns nil when every user needs one.
	PasswordlessUsers() []string
	// Refresh reads the users again when their source has changed. changed tells
	// whether it did.
	Refresh() (changed bool, err error)
}

// An Authority authenticates requests, and signs users in and out. It is safe for
// concurrent use. Its fields must not change after its first use.
type Authority struct {
	// Tokens verifies the installation's own bearer tokens. It is required.
	Tokens *Tokens
	// Sessions keeps the users of Directory signed in. It is required with a
	// Directory, and nil without one.
	Sessions Sessions
	// SharedSessions is true when other brokers keep their sessions in the same store.
	// Refresh then looks for sessions that ended at another broker.
	SharedSessions bool
	// Directory holds the users that sign in at this broker. Nil disables sign-in.
	Directory Directory
	// Issuer verifies the tokens of an identity provider. Nil means that the broker
	// accepts its own tokens only.
	Issuer *Issuer
	// TrustForwardedIdentity is true when a front authenticates all requests and
	// forwards the principal in ForwardedIdentityHeader. Set it only when the broker can be
	// reached through the front alone.
	TrustForwardedIdentity bool
	// MultiTenant is true when the installation has several tenants. Each token must then
	// name a tenant; otherwise no token may.
	MultiTenant bool

	verified tokenCache
}

// CurrentGrant returns the present grant of a user who signed in at this broker
// with grant g, when Directory.User returned the given stamp. ok is false when the
// user may no longer use that sign-in.
func (a *Authority) CurrentGrant(g access.Grant, stamp string) (now access.Grant, ok bool) {
	if a.Directory == nil {
		return now, false
	}
	now, other, err := a.Directory.User(g.Name)
	return now, err == nil && other == stamp && now.User == g.User
}

// Verify verifies a bearer token of the installation or of the issuer. It verifies a
// token again only when its keys have changed, or when it may have expired. The caller
// must not change the roles of the grant, because other callers share them. The error is
// ErrExpired, ErrNoKeys or a *Refusal.
func (a *Authority) Verify(token string) (Principal, error) {
	// The keys are read before the token is verified: if they change meanwhile, the entry
	// is of the earlier keys and is not used.
	hash, keys, now := hashToken(token), a.keyVersions(), time.Now()
	if p, found := a.verified.find(hash, keys, now); found {
		return p, nil
	}
	v, err := a.verify(token)
	if err != nil {
		return Principal{}, err
	}
	a.verified.add(hash, keys, v, now)
	return v.Principal, nil
}

// keyVersions returns the versions of the present keys.
func (a *Authority) keyVersions() keyVersions {
	v := keyVersions{tokens: a.Tokens.keyChanges.Load()}
	if a.Issuer != nil {
		v.issuer = a.Issuer.keyChanges.Load()
	}
	return v
}

// verify is Verify without the cache.
func (a *Authority) verify(token string) (verifiedToken, error) {
	verify := a.Tokens.verify
	if a.Issuer != nil && !isOurs(token) {
		verify = a.Issuer.verify
	}
	v, err := verify(token)
	if err == nil && (v.Grant.Tenant != "") != a.MultiTenant {
		advice := "It names no tenant, and this installation has several. Get one that names its tenant."
		if !a.MultiTenant {
			advice = "It is for one tenant of a shared installation, and this installation is no such one."
		}
		err = &Refusal{Advice: advice, Cause: errors.New("a token of a tenant is for the edge, and only such a token")}
	}
	return v, err
}

// SignIn checks a user's password, starts a session and sets its cookie. The new
// session replaces those that the request has. ended holds the credentials of the
// replaced sessions. The error is ErrNoSignIn, ErrWrongPassword, or an error of the
// session store.
func (a *Authority) SignIn(
	w http.ResponseWriter, r *http.Request, user, password string,
) (g access.Grant, ended []string, err error) {
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

// SignOut ends the sessions of a request, and asks the browser to drop their
// cookies and the issuer's. ended holds the credentials of those cookies.
func (a *Authority) SignOut(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	if a.TrustForwardedIdentity { // The front removes the cookies.
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

// PasswordlessUsers returns the names of the users that may sign in without a
// password.
func (a *Authority) PasswordlessUsers() []string {
	if a.Directory == nil {
		return nil
	}
	return a.Directory.PasswordlessUsers()
}

// Refresh reads users, roles and keys again when they have changed on disk, in the
// store or at the issuer. When changed is true, the caller must authenticate its
// open connections again. When one source fails,
// Refresh still reads the others, and returns the error.
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

// tokenName returns a name for a token that does not reveal the token.
func tokenName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "t-" + hex.EncodeToString(sum[:8])
}

// isUnchanged tells whether a file is the same, with the same size and time, as
// when it was last read.
func isUnchanged(before, now os.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
