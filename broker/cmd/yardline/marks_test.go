package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
)

// Editors and shells of Windows begin files and input with a byte order mark, or write
// UTF-16. The mark must be skipped, and the error must name UTF-16.
func TestByteOrderMarksAreSkipped(t *testing.T) {
	const mark, utf16 = "\ufeff", "\xff\xfel\x00i\x00"
	body, err := eventBody([]string{"-"}, "a", strings.NewReader(mark+`{"type":"sync_progress","data":{"progress":1}}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"sync_progress","data":{"progress":1},"id":"a"}`, string(body))
	status, _, stderr := yardline(t.Context(), utf16, "publish", "-")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "UTF-16")

	config := filepath.Join(t.TempDir(), "config")
	for start, message := range map[string]string{mark: `--listen "nowhere"`, utf16: "UTF-16"} {
		require.NoError(t, os.WriteFile(config, []byte(start+"listen nowhere\n"), 0o600))
		status, _, stderr := yardline(t.Context(), "", "serve", "--data", t.TempDir(), "--config", config)
		require.Equal(t, exitMisuse, status)
		require.Contains(t, stderr, message)
	}

	data := t.TempDir()
	status, _, stderr = yardline(t.Context(), mark+"a password\r\n", "user", "add", "ann", "--data", data)
	require.Equal(t, exitDone, status, stderr)
	path := identity.UsersPath(data)
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append([]byte(mark), written...), 0o600))
	users, err := identity.OpenUsers(path)
	require.NoError(t, err)
	_, err = users.CheckPassword("ann", "a password")
	require.NoError(t, err, "the mark is not a part of the password")
	require.NoError(t, os.WriteFile(path, []byte(utf16), 0o600))
	_, err = identity.OpenUsers(path)
	require.ErrorContains(t, err, "UTF-16")
	status, _, stderr = yardline(t.Context(), utf16, "user", "passwd", "ann", "--data", data)
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "UTF-16")
}
