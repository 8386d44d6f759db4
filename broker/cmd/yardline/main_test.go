package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what a command printed. It may be read while the command runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// yardline runs a command line and returns its exit status and what it said.
func yardline(ctx context.Context, in string, args ...string) (status int, out, err string) {
	var o, e output
	status = run(ctx, args, environment{strings.NewReader(in), &o, &e})
	return status, o.String(), e.String()
}

func TestWrongUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"serve", "--nope"}, "-nope"},
		{[]string{"serve", "extra"}, "extra"},
		{[]string{"serve", "--data", file}, file},
		{[]string{"serve", "--data", ""}, "data directory"},
		{[]string{"serve", "--listen", "0.0.0.0:0", "--data", t.TempDir()}, "loopback"},
		{[]string{"serve", "--listen", ":8080", "--data", t.TempDir()}, "loopback"},
		{[]string{"serve", "--listen", "example.org:80", "--data", t.TempDir()}, "loopback"},
		{[]string{"serve", "--listen", "nonsense", "--data", t.TempDir()}, "nonsense"},
		{[]string{"serve", "--auth", "none", "--data", t.TempDir()}, "none"},
		{[]string{"serve", "--time-zone", "Mars/Olympus", "--data", t.TempDir()}, "Mars"},
		{[]string{"serve", "--log-level", "loud", "--data", t.TempDir()}, "loud"},
		{[]string{"serve", "--heartbeat", "soon"}, "heartbeat"},
		{[]string{"nope"}, "nope"},
		{[]string{"publish"}, "TYPE"},
		{[]string{"publish", "{"}, "JSON"},
		{[]string{"publish", "sync_progress", "progress"}, "key=value"},
		{[]string{"publish", "--url", "localhost", "{}"}, "--url"},
		{[]string{"tail", "--types", "x"}, "types"},
		{[]string{"tail", "--after", "x"}, "--after"},
		{[]string{"token"}, "--user"},
		{[]string{"serve", "--allow-origin", "https://a.example/path", "--data", t.TempDir()}, "not an origin"},
		{[]string{"serve", "--tls-cert", file, "--data", t.TempDir()}, "belong together"},
		{[]string{"serve", "--tls-cert", file, "--tls-key", file, "--listen", "127.0.0.1:0", "--data", t.TempDir()}, "certificate"},
		{[]string{"serve", "--currency", "nope", "--data", t.TempDir()}, "nope"},
		{[]string{"serve", "--demo-rate", "-1", "--data", t.TempDir()}, "demo-rate"},
		{[]string{"token", "--user", "1", "--data", t.TempDir()}, "may do nothing"},
		{[]string{"publish", "sync_progress", "progress=1", "--json"}, "flags go before"},
		{[]string{"token", "--user", "1", "--roles", "hr", "--data", t.TempDir()}, "no broker's data directory"},
		{[]string{"token", "--user", "1", "--roles", "boss", "--data", t.TempDir()}, "boss"},
		{[]string{"demo", "--rate", "0"}, "rate"},
	} {
		status, out, err := yardline(t.Context(), "", c.args...)
		require.Equal(t, misuse, status, "%v: %s", c.args, err)
		require.Contains(t, err, c.says, "%v", c.args)
		require.Equal(t, 1, strings.Count(err, "\n"), "%v says more than a line: %s", c.args, err)
		require.Empty(t, out, "%v", c.args)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"publish", "-h"}, {"tail", "--help"}, {"token", "--help"}, {"demo", "--help"}} {
		status, out, err := yardline(t.Context(), "", args...)
		require.Equal(t, done, status)
		require.Empty(t, err)
		require.Contains(t, out, "USAGE", "%v", args)
	}
	status, out, _ := yardline(t.Context(), "")
	require.Equal(t, misuse, status)
	require.Contains(t, out, "COMMANDS")
}

// TestCommands runs a broker and its clients, with flags from the environment.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, []byte("heartbeat 20s\nlisten 127.0.0.1:0\n"), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	var out, errs output
	ended := make(chan int, 1)
	t.Setenv("YARDLINE_DATA", filepath.Join(dir, "data"))
	go func() {
		ended <- run(ctx, []string{"serve", "--json", "--config", config}, environment{strings.NewReader(""), &out, &errs})
	}()
	var where struct{ URL, Token string }
	require.Eventually(t, func() bool { return json.Unmarshal([]byte(out.String()), &where) == nil }, 20*time.Second, 5*time.Millisecond, "%s", &errs)
	t.Setenv("YARDLINE_URL", where.URL)

	status, token, said := yardline(t.Context(), "", "token", "--user", "erp", "--roles", "service,manager")
	require.Equal(t, done, status, said)
	t.Setenv("YARDLINE_TOKEN", strings.TrimSpace(token))

	status, receipt, said := yardline(t.Context(), "", "publish", "--id", "one", "rental_status_updated", "rental_id=123", "status=completed", "customer=John Doe", "equipment_ids=[1,2]")
	require.Equal(t, done, status, said)
	require.Regexp(t, `^id one\ncursor [a-z0-9]+-1\n$`, receipt)
	status, receipt, _ = yardline(t.Context(), `{"type":"sync_progress","data":{"progress":5,"x":1}}`, "publish", "--json", "--id", "two", "-")
	require.Equal(t, done, status)
	require.Contains(t, receipt, `"warnings"`)
	status, _, said = yardline(t.Context(), "", "publish", "sync_progress", "progress=101")
	require.Equal(t, failed, status)
	require.Contains(t, said, "/data/progress")

	reading, enough := context.WithCancel(t.Context())
	var lines output
	read := make(chan int, 1)
	go func() {
		read <- run(reading, []string{"tail", "--after", "oldest", "--types", "rental_status_updated"}, environment{strings.NewReader(""), &lines, &errs})
	}()
	require.Eventually(t, func() bool { return strings.Contains(lines.String(), "\n") }, 20*time.Second, 5*time.Millisecond)
	enough()
	require.Equal(t, done, <-read)
	require.Contains(t, lines.String(), `"data":{"rental_id":123,"status":"completed","customer":"John Doe","equipment_ids":[1,2]}`)

	t.Setenv("YARDLINE_TOKEN", "wrong")
	status, _, said = yardline(t.Context(), "", "tail")
	require.Equal(t, failed, status)
	require.Contains(t, said, "invalid_token")

	stop()
	require.Equal(t, done, <-ended, errs.String())
}
