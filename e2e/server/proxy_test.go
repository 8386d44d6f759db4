package server

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/output"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/waittest"
	"github.com/snd-rental/yardline/shared/wire"
)

// nginxConfig is a site as its manual shows it: nothing is said of buffering.
const nginxConfig = `daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server { listen 127.0.0.1:%[2]d; location / { proxy_pass %[3]s; } }
}
`

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

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// proxy runs a program until the test ends, or until it is cut.
type proxy struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
	said *output.Buffer
	done chan error
}

func (p *proxy) up(address string) {
	p.t.Helper()
	p.cmd, p.said, p.done = exec.Command(p.args[0], p.args[1:]...), &output.Buffer{}, make(chan error, 1)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.Env = append(os.Environ(), "HOME="+p.t.TempDir())
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // nginx has workers
	require.NoError(p.t, p.cmd.Start())
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(p.cmd, p.done)
	waittest.Eventually(p.t, func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, testkit.Soon, 5*time.Millisecond, "%v did not start: %s", p.args, p.said)
}

// cut kills it with all its connections.
func (p *proxy) cut() {
	p.t.Helper()
	require.NoError(p.t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
	<-p.done
	p.cmd = nil
}

// find looks where Debian keeps servers too.
func find(t *testing.T, name string) string {
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
	c := testkit.NewCertificate(t)
	for name, p := range map[string]struct {
		config, scheme, file string
		command              []string
		protocol             int
	}{
		"nginx": {nginxConfig, "http", "nginx.conf", []string{"nginx", "-e", "stderr", "-c"}, 1},
		"caddy": {caddyConfig, "https", "Caddyfile", []string{"caddy", "run", "--adapter", "caddyfile", "--config"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack.Start(t)
			dir, port := t.TempDir(), freePort(t)
			file := filepath.Join(dir, p.file)
			config := fmt.Sprintf(p.config, dir, port, "http://127.0.0.1:"+s.Port, c.CertFile, c.KeyFile)
			if name == "nginx" {
				config = fmt.Sprintf(p.config, dir, port, "http://127.0.0.1:"+s.Port)
			}
			require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
			between := &proxy{t: t, args: append(append([]string{find(t, p.command[0])}, p.command[1:]...), file)}
			address := fmt.Sprintf("127.0.0.1:%d", port)
			between.up(address)
			t.Cleanup(func() {
				if between.cmd != nil {
					between.cut()
				}
			})
			client, base := c.Client(t), fmt.Sprintf("%s://localhost:%d", p.scheme, port)

			published, read := 0, 0
			publish := func() {
				published++
				s.Publish(
					fmt.Sprintf(
						`{"type":"rental_overdue","id":"e%d","data":{"rental_id":1,"days_overdue":%[1]d}}`,
						published,
					),
				)
			}
			cursor := "oldest"
			for round := 1; round <= 2; round++ {
				start := time.Now()
				answer := testkit.Get(t, client, base+"/api/sse?after="+cursor, s.Token)
				require.Equal(t, p.protocol, answer.ProtoMajor)
				testkit.ReadFrames(t, answer.Body, func(f wire.Frame) bool {
					switch f := f.(type) {
					case *wire.Hello:
						// The promise is a second; a busy machine is given more.
						require.Less(t, time.Since(start), 5*time.Second)
						t.Logf("hello after %v", time.Since(start))
					case *wire.Event:
						read++
						require.Equal(t, fmt.Sprintf("e%d", read), f.Event.ID)
					}
					cursor = f.ReachedCursor().String()
					if read < 20*round && published == read {
						publish() // one at a time: nothing is held back until more comes
					}
					return read == 20*round
				})
				between.cut() // under an open stream
				require.NoError(t, answer.Body.Close())
				publish() // while nobody can read
				between.up(address)
			}
		})
	}
}
