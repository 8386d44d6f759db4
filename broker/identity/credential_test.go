package identity

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/syncbuffer"
)

// A Credential authenticates like the request that it was made of, and equal requests
// have equal ones. Printing a Credential does not reveal its secret.
func TestCredentialAuthenticatesLikeItsRequest(t *testing.T) {
	p := newProvider(t)
	a := cachingAuthority(p, t.TempDir())
	a.Issuer.c.Cookie = "id"
	a.Directory, a.Sessions = DemoDirectory{}, NewStoredSessions(memlog.New("k", 0), "testtest", secure)
	w := httptest.NewRecorder()
	_, _, err := a.SignIn(w, requestWith(), "hr", "")
	require.NoError(t, err)
	session := w.Result().Cookies()[0]
	foreign := p.signUsual("a", nil)
	for name, c := range map[string]struct {
		bearer  []string
		cookies []string
		user    string // empty when the request is refused
		err     error
	}{
		"none":                    {err: ErrNotSignedIn},
		"bearer":                  {bearer: []string{foreign}, user: "auth|7"},
		"bearer before cookies":   {bearer: []string{"wrong"}, cookies: []string{"id", foreign}, err: ErrInvalid},
		"two bearers":             {bearer: []string{"wrong", foreign}, err: ErrInvalid},
		"issuer's cookies":        {cookies: []string{"id", "x,y z", "id", foreign}, user: "auth|7"},
		"issuer's before session": {cookies: []string{session.Name, session.Value, "id", "wrong"}, err: ErrInvalid},
		"session":                 {cookies: []string{session.Name, "wrong", session.Name, session.Value}, user: "3"},
		"old name":                {cookies: []string{oldCookieName, session.Value}, user: "3"},
		"ended session":           {cookies: []string{session.Name, "wrong"}, err: ErrNotSignedIn},
		"empty cookies":           {cookies: []string{session.Name, "", "id", ""}, err: ErrNotSignedIn},
	} {
		r := requestWith(c.cookies...)
		for _, token := range c.bearer {
			r.Header.Add("Authorization", "Bearer "+token)
		}
		want, wantErr := a.Authenticate(r)
		require.ErrorIs(t, wantErr, c.err, name)
		require.Equal(t, c.user, want.Grant.User, name)
		credential, err := a.CredentialOf(r)
		again, againErr := a.CredentialOf(r.Clone(t.Context()))
		require.Equal(t, err, againErr, name)
		require.True(t, credential == again, name)
		if err != nil {
			require.Equal(t, wantErr, err, name)
			continue
		}
		got, err := a.AuthenticateCredential(t.Context(), credential)
		require.Equal(t, wantErr, err, name)
		require.Equal(t, want, got, name)
		var logged syncbuffer.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "credential", credential)
		printed := fmt.Sprintf("%v %+v %#v ", credential, credential, credential) + logged.String()
		require.NotContains(t, printed, credential.secret.Value(), name)
	}
	_, err = a.AuthenticateCredential(t.Context(), Credential{})
	require.ErrorIs(t, err, ErrNotSignedIn)
}

// A Credential outlives its request, but neither its session nor its user.
func TestCredentialIsRefusedAfterSignOutAndRemoval(t *testing.T) {
	a := authorityWithUsers(t)
	signIn := func() (Credential, func()) {
		w := httptest.NewRecorder()
		_, _, err := a.SignIn(w, requestWith(), "ann", "correct horse")
		require.NoError(t, err)
		cookie := w.Result().Cookies()[0]
		ctx, cancel := context.WithCancel(t.Context())
		credential, err := a.CredentialOf(requestWith(cookie.Name, cookie.Value).WithContext(ctx))
		require.NoError(t, err)
		cancel() // The request has ended.
		p, err := a.AuthenticateCredential(t.Context(), credential)
		require.NoError(t, err)
		require.Equal(t, "ann", p.Grant.Name)
		return credential, func() {
			_, err := a.SignOut(httptest.NewRecorder(), requestWith(cookie.Name, cookie.Value))
			require.NoError(t, err)
		}
	}
	credential, signOut := signIn()
	other, _ := signIn()
	signOut()
	_, err := a.AuthenticateCredential(t.Context(), credential)
	require.ErrorIs(t, err, ErrNotSignedIn)
	_, err = a.AuthenticateCredential(t.Context(), other)
	require.NoError(t, err)
	path := a.Directory.(*Users).path
	require.NoError(t, EditUser(path, "ann", func(u *User) error { u.Disabled = true; return nil }))
	changed, err := a.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
	_, err = a.AuthenticateCredential(t.Context(), other)
	require.ErrorIs(t, err, ErrNotSignedIn)
}

// authorityWithUsers returns an authority with a users file that has the user ann.
func authorityWithUsers(t *testing.T) *Authority {
	t.Helper()
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	require.NoError(t, err)
	hash, err := HashPassword("correct horse")
	require.NoError(t, err)
	require.NoError(t, EditUsers(UsersPath(dir), func([]User) ([]User, error) {
		return []User{{ID: "7", Name: "ann", Password: hash, Roles: []access.Role{access.Manager}}}, nil
	}))
	users, err := OpenUsers(UsersPath(dir))
	require.NoError(t, err)
	return &Authority{Tokens: tokens, Directory: users,
		Sessions: NewStoredSessions(memlog.New("k", 0), "testtest", secure)}
}

// The front's identity authenticates as the front has sent it.
func TestForwardedCredential(t *testing.T) {
	a := &Authority{TrustForwardedIdentity: true}
	want := Principal{Grant: access.Grant{User: "7", Name: "Änn", Roles: []access.Role{access.HR}, Tenant: "acme"},
		Credential: "t-1", Expires: time.Now().Add(time.Hour).UTC().Truncate(0), IsPerson: true}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set(ForwardedIdentityHeader, EncodeForwardedIdentity(want))
	credential, err := a.CredentialOf(r)
	require.NoError(t, err)
	require.True(t, credential == ForwardedCredential(want))
	got, err := a.AuthenticateCredential(t.Context(), credential)
	require.NoError(t, err)
	require.Equal(t, want, got)
	r.Header.Set(ForwardedIdentityHeader, "no identity")
	credential, err = a.CredentialOf(r)
	require.NoError(t, err)
	_, err = a.AuthenticateCredential(t.Context(), credential)
	require.ErrorIs(t, err, ErrInvalid)
	r.Header.Del(ForwardedIdentityHeader)
	_, err = a.CredentialOf(r)
	require.ErrorIs(t, err, ErrNotSignedIn)
}
