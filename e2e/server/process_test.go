package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/waittest"
)

// A process is a running broker.
type process struct {
	cmd    *exec.Cmd
	url    string // http://localhost:port
	token  string // a bearer token of the broker
	stderr io.ReadCloser
}

// startProcess starts a broker by a command, and waits until the broker prints its address.
func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.stderr, err = cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // The process runs only if the test has failed.
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		printed, _ := io.ReadAll(p.stderr)
		t.Fatalf("%v: %s", err, printed)
	}
	var started struct{ URL, Token string }
	require.NoError(t, json.Unmarshal([]byte(line), &started))
	p.url, p.token = started.URL, started.Token
	return p
}

// binaryPath returns the path of the built binary.
func binaryPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/yardline")
	require.NoError(t, err)
	return path
}

// The broker runs in a container that has nothing else, neither a C library nor time zones.
func TestBrokerRunsInAnEmptyRoot(t *testing.T) {
	root := t.TempDir()
	binary, err := os.ReadFile(binaryPath(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "yardline"), binary, 0o700))
	cmd := exec.Command("/yardline", "serve", "--json", "--listen", "127.0.0.1:0",
		"--data", "/data", "--time-zone", "Europe/Berlin")
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Geteuid() != 0 { // Any user may change the root in a namespace of its own.
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	p := startProcess(t, cmd)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar}
	send := func(method, path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, send("POST", "/api/session", `{"user":"manager"}`))
	require.Equal(t, http.StatusOK, send("PUT", "/api/push/preferences",
		`{"quiet":{"from":"22:00","to":"06:00","zone":"America/New_York"}}`))
	require.Equal(t, http.StatusUnprocessableEntity, send("PUT", "/api/push/preferences",
		`{"quiet":{"from":"22:00","to":"06:00","zone":"Mars/Olympus"}}`))
	client.CloseIdleConnections()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// The signals of service managers and terminals stop the broker in order. Under nohup, the broker ignores SIGHUP.
func TestSignalsStopTheBrokerInOrder(t *testing.T) {
	serve := []string{"serve", "--json", "--listen", "127.0.0.1:0", "--data", t.TempDir()}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		p := startProcess(t, exec.Command(binaryPath(t), serve...))
		require.NoError(t, p.cmd.Process.Signal(signal))
		require.NoError(t, p.cmd.Wait(), "%s", signal)
	}
	underNohup := append([]string{"-c", `trap "" HUP; exec "$@"`, "sh", binaryPath(t)}, serve...)
	p := startProcess(t, exec.Command("sh", underNohup...))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	waitUntilReady(t, p.url)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait())
}

// waitUntilReady waits until a broker is ready. A broker is ready a moment after it listens.
func waitUntilReady(t *testing.T, url string) {
	t.Helper()
	waittest.Eventually(t, func() bool {
		answer, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, 30*time.Second, 10*time.Millisecond)
}

// After the first interrupt, the broker waits for a request that does not end. A further interrupt ends the broker at
// once.
func TestSecondInterruptStopsTheBrokerAtOnce(t *testing.T) {
	p := startProcess(t, exec.Command(binaryPath(t), "serve", "--json", "--listen", "127.0.0.1:0", "--data",
		t.TempDir()))
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /api/sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+p.token+
		"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	_, err = bufio.NewReader(conn).ReadString('\n') // The handler reads the body, which never comes.
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		_ = p.cmd.Process.Signal(syscall.SIGINT) // It fails if the process has just ended.
		select {
		case err := <-ended:
			require.Error(t, err)
			require.Equal(t, syscall.SIGINT, p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
			return
		case <-ticker.C:
		}
	}
}

// The broker keeps running when the program that reads its log ends.
func TestBrokerOutlivesTheReaderOfItsLog(t *testing.T) {
	p := startProcess(t, exec.Command(binaryPath(t), "serve", "--json", "--listen", "127.0.0.1:0", "--data",
		t.TempDir(), "--log-level", "debug"))
	require.NoError(t, p.stderr.Close())
	for range 3 { // Each request is logged.
		waitUntilReady(t, p.url)
		answer, err := http.Get(p.url + "/api/events")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait())
}
