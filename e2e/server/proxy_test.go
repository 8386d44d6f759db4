package server

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// nginxConfig is a minimal configuration of nginx, as its manual shows one. It does not mention buffering. Its
// arguments are the directory, the port and the broker's URL.
const nginxConfig = `daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server { listen 127.0.0.1:%[2]d; location / { proxy_pass %[3]s; } }
}
`

// caddyConfig is a site with TLS. Its arguments are those of nginxConfig, and the files of the certificate and its key.
const caddyConfig = `{
  admin off
  auto_https disable_redirects
  storage file_system %[1]s
}
https://localhost:%[2]d {
  bind 127.0.0.1
  tls %[4]s %[5]s
  reverse_proxy %[3]s
}
`

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A proxy is the process of a proxy, which can be killed and started again.
type proxy struct {
	t      *testing.T
	args   []string
	cmd    *exec.Cmd // nil if the process was killed or not started
	output *syncbuffer.Buffer
	exited chan error
}

// newProxy returns a proxy that is not started. The path of its configuration is the last argument of the command.
func newProxy(t *testing.T, command []string, configFile string) *proxy {
	t.Helper()
	return &proxy{t: t, args: append(append([]string{findServer(t, command[0])}, command[1:]...), configFile)}
}

// start starts the process, and waits until it accepts connections at an address.
func (p *proxy) start(address string) {
	p.t.Helper()
	p.cmd, p.output, p.exited = exec.Command(p.args[0], p.args[1:]...), &syncbuffer.Buffer{}, make(chan error, 1)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Env = append(os.Environ(), "HOME="+p.t.TempDir())
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // kill ends the workers of nginx, too.
	require.NoError(p.t, p.cmd.Start())
	go func(cmd *exec.Cmd, exited chan error) { exited <- cmd.Wait() }(p.cmd, p.exited)
	waittest.Eventually(p.t, func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, testkit.Soon, 5*time.Millisecond, "%v did not start: %s", p.args, p.output)
}

// kill kills the process, which closes all its connections.
func (p *proxy) kill() {
	p.t.Helper()
	require.NoError(p.t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
	<-p.exited
	p.cmd = nil
}

// killAtEnd kills the process at the end of the test, if it still runs.
func (p *proxy) killAtEnd() {
	p.t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
	})
}

// findServer returns the path of a program. It searches PATH and the folders in which Debian keeps servers.
func findServer(t *testing.T, name string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("the tests need %s: run make deps", name)
	return ""
}

// Through nginx with its default buffering, and through Caddy over HTTP/2, a reader receives hello at once and events
// in order as they are published. After a cut it resumes.
func TestStreamsPassThroughNginxAndCaddy(t *testing.T) {
	certificate := testkit.NewCertificate(t)
	for name, c := range map[string]struct {
		config, scheme, file string
		command              []string
		protocol             int // the major version of HTTP
	}{
		"nginx": {
			config:   nginxConfig,
			scheme:   "http",
			file:     "nginx.conf",
			command:  []string{"nginx", "-e", "stderr", "-c"},
			protocol: 1,
		},
		"caddy": {
			config:   caddyConfig,
			scheme:   "https",
			file:     "Caddyfile",
			command:  []string{"caddy", "run", "--adapter", "caddyfile", "--config"},
			protocol: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack.Start(t)
			dir, port := t.TempDir(), freePort(t)
			file := filepath.Join(dir, c.file)
			arguments := []any{dir, port, "http://127.0.0.1:" + s.Port}
			if name == "caddy" {
				arguments = append(arguments, certificate.CertFile, certificate.KeyFile)
			}
			require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, c.config, arguments...), 0o600))
			p := newProxy(t, c.command, file)
			address := fmt.Sprintf("127.0.0.1:%d", port)
			p.start(address)
			p.killAtEnd()
			requireEventsOverCuts(t, s, &cutStream{
				client:   certificate.Client(t),
				base:     fmt.Sprintf("%s://localhost:%d", c.scheme, port),
				protocol: c.protocol,
				cut:      p.kill,
				restore:  func() { p.start(address) },
			})
		})
	}
}

// A cutStream is a stream through a proxy that the test cuts and restores.
type cutStream struct {
	client       *http.Client
	base         string // the URL of the proxy
	protocol     int    // the major version of HTTP that the proxy must use
	cut, restore func()
}

// requireEventsOverCuts reads a stream that is cut twice. The reader must receive hello at once, and each event before
// the next one is published.
func requireEventsOverCuts(t *testing.T, s *stack.Stack, c *cutStream) {
	t.Helper()
	published, received := 0, 0
	publish := func() {
		const overdue = `{"type":"rental_overdue","id":"e%d","data":{"rental_id":1,"days_overdue":%[1]d}}`
		published++
		s.Publish(fmt.Sprintf(overdue, published))
	}
	cursor := "oldest"
	for round := 1; round <= 2; round++ {
		start := time.Now()
		answer := testkit.Get(t, c.client, c.base+"/api/sse?after="+cursor, s.Token)
		require.Equal(t, c.protocol, answer.ProtoMajor)
		testkit.ReadFrames(t, answer.Body, func(f wire.Frame) bool {
			switch f := f.(type) {
			case *wire.Hello:
				// The broker promises a second. The test allows more, because the machine may be busy.
				require.Less(t, time.Since(start), 5*time.Second)
				t.Logf("hello after %v", time.Since(start))
			case *wire.Event:
				received++
				require.Equal(t, fmt.Sprintf("e%d", received), f.Event.ID)
			}
			cursor = f.ReachedCursor().String()
			if received < 20*round && published == received {
				publish() // Only one event is under way, so a proxy that waits for more is noticed.
			}
			return received == 20*round
		})
		c.cut() // The stream is still open.
		require.NoError(t, answer.Body.Close())
		publish() // No reader is connected.
		c.restore()
	}
}
