package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/event"
)

// configFile writes a file for --config and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// White space, comments and other lines must not keep a line from setting its flag.
func TestConfigFileSetsFlags(t *testing.T) {
	for _, text := range []string{
		"listen nowhere", "listen\tnowhere\r\n", "  listen \t nowhere  # where it listens\n",
		"# all\n\ndemo\nlisten nowhere\n",
		"demo # at work\nlisten nowhere\n", "demo false\nlisten nowhere\n",
		"allow-origin " + strings.Repeat("a", 100_000) + "\nlisten nowhere\n",
	} {
		status, _, stderr := yardline(t.Context(), "", "serve", "--data", t.TempDir(), "--config", configFile(t, text))
		require.Equal(t, exitMisuse, status)
		require.Contains(t, stderr, `--listen "nowhere"`, "%.80q", text)
	}
}

func TestConfigFileWithAFaultyLineIsRefusedWithTheLinesNumber(t *testing.T) {
	for text, message := range map[string]string{
		"\ndata":               "line 2: data needs a value",
		"data # what for?":     "line 1: data needs a value",
		"data = /var/lib/x":    `line 1: between data and its value is a space alone, no "="`,
		"data=/var/lib/x":      `line 1: yardline token has no flag "data=/var/lib/x"`,
		"--data /var/lib/x":    `line 1: yardline token has no flag "--data"`,
		"listen 127.0.0.1:80":  `line 1: yardline token has no flag "listen"`,
		"ttl soon":             "line 1: ",
		"data x\x00\nttl soon": "line 2: ",
	} {
		status, _, stderr := yardline(t.Context(), "", "token", "--user", "a", "--roles", "yard",
			"--config", configFile(t, text))
		require.Equal(t, exitMisuse, status)
		require.Contains(t, stderr, "yardline: --config: "+message, text)
	}
	broken := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data x\n")))
	require.ErrorIs(t, configParser(commandFlags("yardline"))(broken, nil), iotest.ErrTimeout)
}

// --config must work after an argument too, and must be refused in front of a command. If
// it were ignored, the command would silently use ./data.
func TestConfigFlagIsNeverIgnored(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	config := configFile(t, "data "+data+"\n")
	status, _, stderr := yardline(t.Context(), "a password\n", "user", "add", "ann", "--config", config)
	require.Equal(t, exitDone, status, stderr)
	users, err := identity.ReadUsers(identity.UsersPath(data))
	require.NoError(t, err)
	require.Len(t, users, 1)

	status, _, stderr = yardline(t.Context(), "", "restore", filepath.Join(data, "none"),
		"--config", configFile(t, "date x"))
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, `yardline restore has no flag "date"`)

	other := configFile(t, "data "+t.TempDir()+"\n")
	status, _, stderr = yardline(t.Context(), "", "user", "enable", "--config", other, "ann", "--config", config)
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "two files")

	for _, args := range [][]string{
		{"--config", config, "user", "list"}, {"user", "--config", config, "list"}, {"--config", "nowhere", "serve"},
	} {
		status, _, stderr = yardline(t.Context(), "", args...)
		require.Equal(t, exitMisuse, status)
		require.Contains(t, stderr, "flags go after the command", args)
	}

	t.Setenv("YARDLINE_CONFIG", config)
	status, out, stderr := yardline(t.Context(), "", "user", "list")
	require.Equal(t, exitDone, status, stderr)
	require.Contains(t, out, "ann")
	status, _, stderr = yardline(t.Context(), "", "user", "list", "bob")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "no arguments")
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is made where the command runs")
}

// An event that is too long must be refused, not cut, and a password must not be set when
// reading it fails.
func TestIncompleteInputIsRefused(t *testing.T) {
	long := `{"type":"sync_progress","data":{"progress":1},"x":"` + strings.Repeat("a", event.MaxEventBytes) + `"}`
	status, _, stderr := yardline(t.Context(), long, "publish", "-")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "standard input has more than 20480 bytes")

	cut := errors.New("cut off")
	_, err := readPassword(standardStreams{in: io.MultiReader(strings.NewReader("half a pass"), iotest.ErrReader(cut))})
	require.ErrorIs(t, err, cut)
}
