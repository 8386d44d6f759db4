package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output collects the text that a command prints.
type output = syncbuffer.Buffer

// yardline runs a command line with in as its standard input. It returns the exit status,
// the standard output and the standard error.
func yardline(ctx context.Context, in string, args ...string) (status int, out, err string) {
	var o, e output
	status = run(ctx, args, standardStreams{strings.NewReader(in), &o, &e})
	return status, o.String(), e.String()
}

func TestFaultyCommandLinesAreRefusedInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		args    []string
		message string
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
		{[]string{"publish", "sync_progress", "progress=1", "progress=2"}, "progress is given twice"},
		{[]string{"publish", "--url", "localhost", "{}"}, "--url"},
		{[]string{"tail", "--types", "x"}, "types"},
		{[]string{"tail", "--after", "x"}, "--after"},
		{[]string{"tail", "--on-gap", "x"}, "--on-gap"},
		{[]string{"token"}, "--user"},
		{[]string{"user", "nope"}, "nope"},
		{[]string{"restore"}, "one BACKUP"},
		{[]string{"restore", filepath.Join(filepath.Dir(file), "none"), "--data", filepath.Dir(file)}, "none"},
		{[]string{"serve", "--nats-prefix", "a b", "--data", t.TempDir()}, "--nats-prefix"},
		{[]string{"schema"}, "one name"},
		{[]string{"schema", "nope"}, "nope"},
		{[]string{"schema", "--for", "nobody", "rental_overdue"}, "nobody"},
		{[]string{"doctor"}, "URL"},
		{[]string{"bench"}, "URL"},
		{[]string{"bench", "https://yard.example"}, "plain HTTP"},
		{[]string{"bench", "--subscribers", "0", "http://127.0.0.1:1"}, "at least one subscriber"},
		{[]string{"bench", "--body", "{}", "http://127.0.0.1:1"}, "{{payload}}"},
		{[]string{"bench", "--data", t.TempDir(), "http://127.0.0.1:1"}, "no broker's data directory"},
		{[]string{"bench", "--data", "a", "--tokens", "b", "http://127.0.0.1:1"}, "exclude each other"},
		{[]string{"doctor", "yard.example"}, "yard.example"},
		{[]string{"serve", "--auth", "jwt", "--data", t.TempDir()}, "--jwt-issuer"},
		{[]string{"serve", "--auth", "jwt", "--jwt-issuer", "i", "--jwt-audience", "a",
			"--jwt-jwks", "http://id.example/keys", "--data", t.TempDir()}, "https"},
		{[]string{"serve", "--trusted-proxies", "10.0.0.1", "--data", t.TempDir()}, "network"},
		{[]string{"serve", "--log-format", "xml", "--data", t.TempDir()}, "xml"},
		{[]string{"serve", "--debug-listen", "0.0.0.0:6060", "--data", t.TempDir()}, "loopback"},
		{[]string{"serve", "--max-connections", "-1", "--data", t.TempDir()}, "max-connections"},
		{[]string{"serve", "--publish-rate", "-1", "--data", t.TempDir()}, "publish-rate"},
		{[]string{"serve", "--allow-origin", "https://a.example/path", "--data", t.TempDir()}, "not an origin"},
		{[]string{"serve", "--tls-cert", file, "--data", t.TempDir()}, "belong together"},
		{[]string{"serve", "--tls-cert", file, "--tls-key", file, "--listen", "127.0.0.1:0",
			"--data", t.TempDir()}, "certificate"},
		{[]string{"serve", "--currency", "nope", "--data", t.TempDir()}, "nope"},
		{[]string{"serve", "--demo-rate", "-1", "--data", t.TempDir()}, "demo-rate"},
		{[]string{"token", "--user", "1", "--data", t.TempDir()}, "may do nothing"},
		{[]string{"publish", "sync_progress", "progress=1", "--json"}, "flags go before"},
		{[]string{"token", "--user", "1", "--roles", "hr", "--data", t.TempDir()}, "no broker's data directory"},
		{[]string{"token", "--user", "1", "--roles", "boss", "--data", t.TempDir()}, "boss"},
		{[]string{"demo", "--rate", "0"}, "rate"},
		{[]string{"demo", "--rate", "NaN"}, "rate"},
		{[]string{"serve", "--retention", "0", "--data", t.TempDir()}, "--retention must be above 0, not 0s"},
		{[]string{"serve", "--jwt-skew", "0s", "--data", t.TempDir()}, "--jwt-skew must be above 0"},
		{[]string{"serve", "--max-connections", "0", "--data", t.TempDir()}, "--max-connections must be above 0"},
		{[]string{"serve", "--publish-rate", "NaN", "--data", t.TempDir()}, "--publish-rate must be above 0, not NaN"},
	} {
		status, out, err := yardline(t.Context(), "", c.args...)
		require.Equal(t, exitMisuse, status, "%v: %s", c.args, err)
		require.Contains(t, err, c.message, "%v", c.args)
		require.Equal(t, 1, strings.Count(err, "\n"), "%v prints more than a line: %s", c.args, err)
		require.Empty(t, out, "%v", c.args)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"publish", "-h"}, {"tail", "--help"},
		{"token", "--help"}, {"user", "--help"}, {"user", "add", "--help"}, {"schema", "--help"}, {"doctor", "--help"},
		{"bench", "--help"},
		{"restore", "--help"}, {"demo", "--help"}} {
		status, out, err := yardline(t.Context(), "", args...)
		require.Equal(t, exitDone, status)
		require.Empty(t, err)
		require.Contains(t, out, "USAGE", "%v", args)
	}
	status, out, _ := yardline(t.Context(), "")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, out, "COMMANDS")
}

// running is a command that runs until the test stops it.
type running struct {
	out, err output
	cancel   context.CancelFunc
	status   chan int // has the exit status when the command has ended
}

// runInBackground starts a command line.
func runInBackground(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{cancel: cancel, status: make(chan int, 1)}
	go func() { r.status <- run(ctx, args, standardStreams{strings.NewReader(""), &r.out, &r.err}) }()
	return r
}

// stop stops the command and requires that it ends without an error.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	require.Equal(t, exitDone, <-r.status, r.err.String())
}

// address is the output of serve --json.
type address struct{ URL, Token string }

// waitForAddress waits until serve --json has printed the broker's address.
func (r *running) waitForAddress(t *testing.T) (printed address) {
	t.Helper()
	waittest.Eventually(t, func() bool { return json.Unmarshal([]byte(r.out.String()), &printed) == nil },
		20*time.Second, 5*time.Millisecond, "%s", &r.err)
	return printed
}

// The test sets flags in the environment and in a configuration file.
func TestClientCommandsWorkWithABroker(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, []byte("heartbeat 20s\nlisten 127.0.0.1:0\n"), 0o600))
	t.Setenv("YARDLINE_DATA", filepath.Join(dir, "data"))
	served := runInBackground(t, "serve", "--json", "--config", config)
	url := served.waitForAddress(t).URL
	t.Setenv("YARDLINE_URL", url)

	status, token, stderr := yardline(t.Context(), "", "token", "--user", "erp", "--roles", "service,manager")
	require.Equal(t, exitDone, status, stderr)
	t.Setenv("YARDLINE_TOKEN", strings.TrimSpace(token))

	status, receipt, stderr := yardline(t.Context(), "", "publish", "--id", "one", "rental_status_updated",
		"rental_id=123", "status=completed", "customer=John Doe", "equipment_ids=[1,2]")
	require.Equal(t, exitDone, status, stderr)
	require.Regexp(t, `^id one\ncursor [a-z0-9]+-1\n$`, receipt)
	status, receipt, _ = yardline(t.Context(), `{"type":"sync_progress","data":{"progress":5,"x":1}}`,
		"publish", "--json", "--id", "two", "-")
	require.Equal(t, exitDone, status)
	require.Contains(t, receipt, `"warnings"`)
	status, _, stderr = yardline(t.Context(), "", "publish", "sync_progress", "progress=101")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "/data/progress")

	tail := runInBackground(t, "tail", "--after", "oldest", "--types", "rental_status_updated")
	waittest.Eventually(t, func() bool { return strings.Contains(tail.out.String(), "\n") }, 20*time.Second,
		5*time.Millisecond)
	tail.stop(t)
	require.Contains(t, tail.out.String(),
		`"data":{"rental_id":123,"status":"completed","customer":"John Doe","equipment_ids":[1,2]}`)

	status, out, stderr := yardline(t.Context(), "", "doctor", "--json", url)
	require.Equal(t, exitDone, status, stderr)
	require.Contains(t, out, `{"check":"stream","result":"ok"`)
	for name, part := range map[string]string{
		"openapi":          `"/api/sse"`,
		"asyncapi":         `"3.0.0"`,
		"typescript":       "export interface",
		"payment_received": `"payment_method"`,
	} {
		status, out, _ = yardline(t.Context(), "", "schema", name)
		require.Equal(t, exitDone, status)
		require.Contains(t, out, part)
	}

	t.Setenv("YARDLINE_TOKEN", "wrong")
	status, _, stderr = yardline(t.Context(), "", "doctor", url)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "needs a change")
	status, _, stderr = yardline(t.Context(), "", "tail")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "invalid_token")
	served.stop(t)
}

func TestUserCommandsEditTheUsersOfARunningBroker(t *testing.T) {
	data := t.TempDir()
	runUser := func(in string, args ...string) (int, string, string) {
		return yardline(t.Context(), in, append(append([]string{"user"}, args...), "--data", data)...)
	}
	requireDone := func(in string, args ...string) {
		t.Helper()
		status, _, stderr := runUser(in, args...)
		require.Equal(t, exitDone, status, stderr)
	}
	status, _, stderr := yardline(t.Context(), "", "serve", "--auth", "users", "--data", data,
		"--listen", "127.0.0.1:0")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "yardline user add")
	requireDone("a password\n", "add", "ann", "--roles", "manager,hr", "--employee", "4")
	requireDone("b password", "add", "--id", "8", "bob")
	for message, args := range map[string][]string{
		"already":  {"add", "ann"},
		"boss":     {"add", "eve", "--roles", "boss"},
		"no user":  {"passwd", "eve"},
		"whose":    {"disable"},
		"one NAME": {"disable", "ann", "bob"},
	} {
		status, _, stderr := runUser("a password\n", args...)
		require.Equal(t, exitMisuse, status)
		require.Contains(t, stderr, message)
	}
	status, _, stderr = runUser("short\n", "add", "eve")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "8 to 1024")
	status, _, stderr = runUser("", "passwd", "ann")
	require.Equal(t, exitMisuse, status)
	require.Contains(t, stderr, "standard input")
	requireDone("", "roles", "ann", "--roles", "yard")
	requireDone("", "disable", "bob")
	status, out, _ := runUser("", "list")
	require.Equal(t, exitDone, status)
	require.Regexp(t, `ann +ann +\[yard\] +4 +enabled`, out)
	require.Regexp(t, `bob +8 +\[\] +0 +disabled`, out)

	served := runInBackground(t, "serve", "--auth", "users", "--json", "--data", data,
		"--listen", "127.0.0.1:0", "--debug-listen", "127.0.0.1:0")
	url := served.waitForAddress(t).URL
	require.NotContains(t, served.out.String(), `"token"`, "the output may end up in a log")
	signIn := func(body string) int {
		answer, err := http.Post(url+"/api/session", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		answer.Body.Close()
		return answer.StatusCode
	}
	require.Equal(t, 200, signIn(`{"user":"ann","password":"a password"}`))
	require.Equal(t, 401, signIn(`{"user":"bob","password":"b password"}`))
	requireDone("", "enable", "bob")
	waittest.Eventually(t, func() bool { return signIn(`{"user":"bob","password":"b password"}`) == 200 },
		20*time.Second, time.Second)
	http.DefaultClient.CloseIdleConnections()
	served.stop(t)
}

// A broker that listens on all addresses must print one that can be opened, and must warn
// when browsers on other machines could not sign in.
func TestServeOnAllAddresses(t *testing.T) {
	dir := t.TempDir()
	addUser := []string{"user", "add", "ann", "--roles", "manager", "--data", dir}
	status, _, stderr := yardline(t.Context(), "a long password\n", addUser...)
	require.Zero(t, status, stderr)
	for _, c := range []struct {
		flags []string
		warns bool
	}{
		{nil, true},
		{[]string{"--trusted-proxies", "10.0.0.0/8"}, false},
	} {
		args := append([]string{"serve", "--auth", "users", "--listen", "0.0.0.0:0", "--data", dir}, c.flags...)
		served := runInBackground(t, args...)
		hasPrinted := func() bool { return strings.Contains(served.out.String(), "Sign a token") }
		waittest.Eventually(t, hasPrinted, 20*time.Second, time.Millisecond, &served.err)
		require.Regexp(t, `^Yardline is at http://localhost:\d+ `, served.out.String())
		require.Equal(t, c.warns, strings.Contains(served.err.String(), "cannot sign in"), served.err.String())
		served.stop(t)
	}
}
