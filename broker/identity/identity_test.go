package identity

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

func TestTokenIsValidOnlyUnderItsKeyAndInItsTime(t *testing.T) {
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	require.NoError(t, err)
	g, err := access.NewGrant("7", "Sam", []access.Role{access.Manager, access.HR}, 456)
	require.NoError(t, err)
	token, err := tokens.Create(g, time.Hour)
	require.NoError(t, err)

	again, err := OpenTokens(dir)
	require.NoError(t, err)
	p, err := again.Verify(token)
	require.NoError(t, err)
	require.Equal(t, g, p.Grant)
	require.WithinDuration(t, time.Now().Add(time.Hour), p.Expires, time.Minute)

	other, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	_, err = other.Verify(token)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = tokens.Verify(token[:len(token)-2])
	require.ErrorIs(t, err, ErrInvalid)
	late, err := tokens.Create(g, -time.Second)
	require.NoError(t, err)
	_, err = tokens.Verify(late)
	require.ErrorIs(t, err, ErrExpired)

	info, err := os.Stat(filepath.Join(dir, KeyFile))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	require.NoError(t, os.WriteFile(filepath.Join(dir, KeyFile), []byte("short"), 0o600))
	_, err = OpenTokens(dir)
	require.ErrorContains(t, err, "damaged")
}

// TestConcurrentStartsUseOneKey opens one data directory many times at once.
func TestConcurrentStartsUseOneKey(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	keys := make([]*Tokens, 16)
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = OpenTokens(dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		require.Equal(t, keys[0].currentKey(), k.currentKey())
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range left {
		names = append(names, entry.Name())
	}
	require.Equal(t, []string{KeyFile, KeyFile + ".lock"}, names, "no half-made key stays")
}

func TestDemoUsersAreValid(t *testing.T) {
	for _, u := range demoUsers {
		_, err := access.NewGrant(u.User, u.Name, u.Roles, u.Employee)
		require.NoError(t, err)
	}
}
