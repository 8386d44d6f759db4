package identity

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
	"github.com/snd-rental/yardline/shared/access"
)

func hashed(t *testing.T, password string) string {
	t.Helper()
	h, err := HashPassword(password)
	require.NoError(t, err)
	return h
}

// openAnn makes a users file with one user, ann.
func openAnn(t *testing.T) (path string, ann User) {
	t.Helper()
	path = UsersPath(t.TempDir())
	ann = User{
		ID:       "7",
		Name:     "ann",
		Password: hashed(t, "ann's password"),
		Roles:    []access.Role{access.Manager},
		Employee: 4,
	}
	require.NoError(t, EditUsers(path, func([]User) ([]User, error) { return []User{ann}, nil }))
	return path, ann
}

func TestUsersFileRefusesInvalidUsers(t *testing.T) {
	path := UsersPath(t.TempDir())
	_, err := OpenUsers(path)
	require.ErrorContains(t, err, "yardline user add")
	path, ann := openAnn(t)
	add := func(u User) error {
		return EditUsers(path, func(users []User) ([]User, error) { return append(users, u), nil })
	}
	for says, bad := range map[string]User{
		"already":     {ID: "8", Name: "ann", Password: ann.Password},
		"of bob":      {ID: "7", Name: "bob", Password: ann.Password},
		"boss":        {ID: "8", Name: "bob", Password: ann.Password, Roles: []access.Role{"boss"}},
		"argon2id":    {ID: "8", Name: "bob", Password: "plain"},
		"a user's na": {ID: "8", Name: " bob", Password: ann.Password},
	} {
		require.ErrorContains(t, add(bad), says)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "ann's password")
	for _, short := range []string{"", "1234567", strings.Repeat("x", 1025)} {
		_, err := HashPassword(short)
		require.Error(t, err)
	}
}

func TestUsersSignInByTheirPresentPassword(t *testing.T) {
	path, _ := openAnn(t)
	u, err := OpenUsers(path)
	require.NoError(t, err)
	g, err := u.CheckPassword("ann", "ann's password")
	require.NoError(t, err)
	require.Equal(t, access.Grant{User: "7", Name: "ann", Roles: []access.Role{access.Manager}, Employee: 4}, g)
	for _, c := range [][2]string{{"ann", "ann's passwort"}, {"bob", "ann's password"}, {"", ""}} {
		_, err = u.CheckPassword(c[0], c[1])
		require.ErrorIs(t, err, ErrWrongPassword)
	}
	_, stamp, err := u.User("ann")
	require.NoError(t, err)
	require.NoError(t, EditUser(path, "ann", func(u *User) error {
		u.Password = hashed(t, "another one")
		u.Disabled = true
		return nil
	}))
	changed, err := u.Refresh()
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = u.Refresh()
	require.NoError(t, err)
	require.False(t, changed)
	_, err = u.CheckPassword("ann", "another one")
	require.ErrorIs(t, err, ErrWrongPassword, "disabled")
	require.NoError(t, EditUser(path, "ann", func(u *User) error { u.Disabled = false; return nil }))
	_, err = u.Refresh()
	require.NoError(t, err)
	_, other, err := u.User("ann")
	require.NoError(t, err)
	require.NotEqual(t, stamp, other)
}

// TestDamagedUsersFileIsReportedOnce also checks that the users stay as they were.
func TestDamagedUsersFileIsReportedOnce(t *testing.T) {
	path, _ := openAnn(t)
	u, err := OpenUsers(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = u.Refresh()
	require.ErrorContains(t, err, "damaged")
	changed, err := u.Refresh()
	require.NoError(t, err)
	require.False(t, changed)
	_, err = u.CheckPassword("ann", "ann's password")
	require.NoError(t, err)
	require.ErrorContains(t, EditUser(path, "ann", func(*User) error { return nil }), "damaged")
}

// TestConcurrentEditsOfUsersAreKept adds users from several goroutines, like command
// lines that run at once.
func TestConcurrentEditsOfUsersAreKept(t *testing.T) {
	path := UsersPath(filepath.Join(t.TempDir(), "new"))
	hash := hashed(t, "a password")
	var all sync.WaitGroup
	for _, name := range strings.Split("abcdefgh", "") {
		all.Go(func() {
			err := EditUsers(path, func(users []User) ([]User, error) {
				return append(users, User{ID: name, Name: name, Password: hash}), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	users, err := ReadUsers(path)
	require.NoError(t, err)
	require.Len(t, users, 8)
}

func TestSessionSurvivesARestartButNotANewPassword(t *testing.T) {
	path := UsersPath(t.TempDir())
	ann := User{ID: "7", Name: "ann", Password: hashed(t, "ann's password"), Roles: []access.Role{access.HR}}
	require.NoError(t, EditUsers(path, func([]User) ([]User, error) { return []User{ann}, nil }))
	log := memlog.New("k", time.Hour)
	start := func() *Authority {
		users, err := OpenUsers(path)
		require.NoError(t, err)
		tokens, err := OpenTokens(filepath.Dir(path))
		require.NoError(t, err)
		return &Authority{Tokens: tokens, Directory: users, Sessions: NewStoredSessions(log, "testtest",
			func(*http.Request) bool { return true })}
	}
	w := httptest.NewRecorder()
	g, _, err := start().SignIn(w, httptest.NewRequest("POST", "/", nil), "ann", "ann's password")
	require.NoError(t, err)
	cookie := w.Result().Cookies()[0]
	require.True(t, cookie.Secure)
	require.True(t, cookie.HttpOnly)
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(cookie)
	restarted := start()
	p, err := restarted.Authenticate(r)
	require.NoError(t, err)
	require.Equal(t, g, p.Grant)
	require.NotContains(t, p.Credential, cookie.Value)
	require.NoError(t, EditUser(path, "ann", func(u *User) error { u.Password = hashed(t, "another one"); return nil }))
	_, err = restarted.Refresh()
	require.NoError(t, err)
	_, err = restarted.Authenticate(r)
	require.ErrorIs(t, err, ErrNotSignedIn)
}
