// Package stack runs a real broker with the built app, as the binary that
// users start, on a free port and a data directory of the test's own.
package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/e2e/output"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/native"
)

// A Stack is one installation. Its process may be killed and started again on
// the same data and address.
type Stack struct {
	t      testing.TB
	binary string
	dir    string
	flags  []string

	URL   string // http://localhost:port, the same over restarts
	Token string // of a service that is a manager too
	Port  string

	cmd    *exec.Cmd
	exited chan error
	stderr *output.Buffer

	edge *edge // nil for a broker
}

// Start runs a broker until the test ends.
func Start(t testing.TB, flags ...string) *Stack {
	t.Helper()
	s := New(t, flags...)
	s.Up()
	return s
}

// New makes an installation that is not up yet.
func New(t testing.TB, flags ...string) *Stack {
	t.Helper()
	binary, err := filepath.Abs("../../bin/yardline")
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Fatalf("the browser tests run the built binary: run make build first (%v)", err)
	}
	s := &Stack{t: t, binary: binary, dir: t.TempDir(), flags: flags, Port: "0"}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Kill()
		}
	})
	return s
}

// startTimeout bounds how long a broker may take to say where it listens.
const startTimeout = 30 * time.Second

// Up starts the process, on the address that it had before.
func (s *Stack) Up() {
	s.t.Helper()
	if s.edge != nil {
		s.upEdge()
		return
	}
	args := append([]string{"serve", "--json", "--data", s.dir, "--listen", "127.0.0.1:" + s.Port}, s.flags...)
	s.cmd, s.stderr = exec.Command(s.binary, args...), &output.Buffer{}
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	said := make(chan error, 1)
	s.exited = make(chan error, 1)
	cmd, exited := s.cmd, s.exited
	var where struct{ URL, Token string }
	go func() {
		said <- json.NewDecoder(bufio.NewReader(out)).Decode(&where)
		exited <- cmd.Wait()
	}()
	select {
	case err = <-said:
	case <-time.After(startTimeout):
		err = fmt.Errorf("it said nothing within %v", startTimeout)
	}
	if err != nil {
		_ = s.cmd.Process.Kill() // it may have gone by itself
		s.t.Fatalf("the broker did not start: %v\n%s", err, s.stderr)
	}
	s.URL, s.Token = where.URL, where.Token
	u, err := url.Parse(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, s.Port, err = net.SplitHostPort(u.Host); err != nil {
		s.t.Fatal(err)
	}
}

// Run runs a command of the same binary on the installation's data, and
// returns what it printed.
func (s *Stack) Run(in string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.binary, append(args, "--data", s.dir)...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("yardline %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Running tells whether the process was started and neither killed nor stopped.
func (s *Stack) Running() bool { return s.cmd != nil }

// Kill ends the process as a power cut would.
func (s *Stack) Kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("kill: %v\n%s", err, s.stderr)
	}
	<-s.exited
	s.cmd = nil
}

// Stop asks the process to end and returns how long it took.
func (s *Stack) Stop() time.Duration {
	s.t.Helper()
	start := time.Now()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatal(err)
	}
	if err := <-s.exited; err != nil {
		s.t.Errorf("the broker ended with %v\n%s", err, s.stderr)
	}
	s.cmd = nil
	return time.Since(start)
}

// LimitFiles lets no file of the process grow beyond so many bytes, or as many
// as the machine allows.
func (s *Stack) LimitFiles(bytes uint64) {
	s.t.Helper()
	var limit unix.Rlimit
	err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit)
	if err == nil {
		limit.Cur = min(bytes, limit.Max)
		err = unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// As returns the API for somebody with a bearer token.
func (s *Stack) As(user string, employee int64, roles ...access.Role) wasmclient.API {
	s.t.Helper()
	return s.With(s.TokenFor(user, employee, roles...))
}

// TokenFor signs a token for somebody.
func (s *Stack) TokenFor(user string, employee int64, roles ...access.Role) string {
	s.t.Helper()
	if s.edge != nil {
		return s.MintFor(s.edge.tenant, user, employee, roles...)
	}
	return s.MintFor("", user, employee, roles...)
}

// With returns the API for who has a token.
func (s *Stack) With(token string) wasmclient.API {
	s.t.Helper()
	t, err := native.New(s.URL, token)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(t.Close)
	return wasmclient.API{Transport: t}
}

// tokens signs for the installation.
func (s *Stack) tokens() *identity.Tokens {
	s.t.Helper()
	if s.edge != nil {
		return s.edge.tokens
	}
	tokens, err := identity.LoadTokens(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return tokens
}

// Publish sends an event as a back end, or fails the test.
func (s *Stack) Publish(body string) wasmclient.Receipt {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	r, err := s.As("erp", 0, access.Service).PublishJSON(ctx, json.RawMessage(body))
	if err != nil {
		s.t.Fatalf("publish %s: %v", body, err)
	}
	return r
}
