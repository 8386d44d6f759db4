// Package stack runs real installations for tests: the built binary, with a free port and a data directory of its
// own, or the built worker in workerd.
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
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/native"
)

// A Stack is one installation. Its process can be killed and started again with the same data and address. A Stack
// is not safe for concurrent use, except for its methods that create tokens and call the API.
type Stack struct {
	t      testing.TB
	binary string
	dir    string
	flags  []string

	URL   string // http://localhost:port; it is the same after a restart
	Token string // a bearer token with the roles service and manager
	Port  string // the port of URL; "0" before the first start

	cmd    *exec.Cmd  // the process; nil if it does not run
	exited chan error // receives the result of cmd.Wait
	stderr *syncbuffer.Buffer

	edge *edge // the configuration of the edge; nil for a broker
}

// Start starts a broker with flags of "yardline serve". It runs until the test ends.
func Start(t testing.TB, flags ...string) *Stack {
	t.Helper()
	s := New(t, flags...)
	s.Up()
	return s
}

// New returns a broker that is not started.
func New(t testing.TB, flags ...string) *Stack {
	t.Helper()
	return NewIn(t, t.TempDir(), flags...)
}

// NewIn is like New, with the data in dir.
func NewIn(t testing.TB, dir string, flags ...string) *Stack {
	t.Helper()
	binary, err := filepath.Abs("../../bin/yardline")
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Fatalf("the browser tests run the built binary: run make build first (%v)", err)
	}
	s := &Stack{t: t, binary: binary, dir: dir, flags: flags, Port: "0"}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Kill()
		}
	})
	return s
}

// startTimeout is how long a process may take to report its address.
const startTimeout = 30 * time.Second

// Up starts the process. After a restart it has the same address and the same data.
func (s *Stack) Up() {
	s.t.Helper()
	if s.edge != nil {
		s.startWorkerd()
		return
	}
	args := append([]string{"serve", "--json", "--data", s.dir, "--listen", "127.0.0.1:" + s.Port}, s.flags...)
	s.cmd, s.stderr = exec.Command(s.binary, args...), &syncbuffer.Buffer{}
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	reported := make(chan error, 1)
	s.exited = make(chan error, 1)
	cmd, exited := s.cmd, s.exited
	var started struct{ URL, Token string }
	go func() {
		reported <- json.NewDecoder(bufio.NewReader(out)).Decode(&started)
		exited <- cmd.Wait()
	}()
	select {
	case err = <-reported:
	case <-time.After(startTimeout):
		err = fmt.Errorf("it reported no address within %v", startTimeout)
	}
	if err != nil {
		_ = s.cmd.Process.Kill() // It fails if the process has ended by itself.
		s.t.Fatalf("the broker did not start: %v\n%s", err, s.stderr)
	}
	s.URL, s.Token = started.URL, started.Token
	u, err := url.Parse(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, s.Port, err = net.SplitHostPort(u.Host); err != nil {
		s.t.Fatal(err)
	}
}

// Run runs a command of the binary on the installation's data. in is its standard input. Run returns what the command
// printed, without spaces at its ends.
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

// Running reports whether the process was started and neither killed nor stopped.
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

// Stop interrupts the process, waits for its end, and returns how long it took. The test fails if the exit status is
// not 0.
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

// LimitFiles sets the largest size in bytes of the files that the process writes, up to the limit of the machine.
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

// APIFor returns a client of the API with a new token. employee is the id of the user's employee; 0 is none.
func (s *Stack) APIFor(user string, employee int64, roles ...access.Role) wasmclient.API {
	s.t.Helper()
	return s.APIWithToken(s.TokenFor(user, employee, roles...))
}

// TokenFor signs a token that is valid for an hour. employee is the id of the user's employee; 0 is none.
func (s *Stack) TokenFor(user string, employee int64, roles ...access.Role) string {
	s.t.Helper()
	if s.edge != nil {
		return s.CreateTokenIn(s.edge.tenant, user, employee, roles...)
	}
	return s.CreateTokenIn("", user, employee, roles...)
}

// APIWithToken returns a client of the API with a bearer token.
func (s *Stack) APIWithToken(token string) wasmclient.API {
	s.t.Helper()
	t, err := native.New(s.URL, token)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(t.Close)
	return wasmclient.API{Transport: t}
}

// tokens returns the signer of the installation's tokens.
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

// Publish publishes an event, given as JSON, with the role service. The test fails if the broker refuses it.
func (s *Stack) Publish(body string) wasmclient.Receipt {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	r, err := s.APIFor("erp", 0, access.Service).PublishJSON(ctx, json.RawMessage(body))
	if err != nil {
		s.t.Fatalf("publish %s: %v", body, err)
	}
	return r
}
