package server

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/doctor"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
)

// haproxySite is a site as its manual begins it.
const haproxySite = `defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
%[4]s
frontend yard
  bind 127.0.0.1:%[2]d
  default_backend broker
backend broker
  server one %[3]s
`

// nginxSite is nginxConfig with lines of its own for the site.
const nginxSite = `daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      proxy_pass http://%[3]s; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      %[4]s
    }
  }
}
`

const caddySite = `{
  admin off
  storage file_system %[1]s
}
http://localhost:%[2]d {
  bind 127.0.0.1
  %[4]s
  reverse_proxy %[3]s
}
`

// examine runs the doctor, and returns what it found by check.
func examine(t *testing.T, address, token string) map[string]doctor.Finding {
	t.Helper()
	look := exec.Command("../../bin/yardline", "doctor", "--json", address)
	look.Env = append(os.Environ(), "YARDLINE_TOKEN="+token)
	out, _ := look.Output() // it fails where a check did
	found := map[string]doctor.Finding{}
	for line := range strings.Lines(string(out)) {
		var f doctor.Finding
		require.NoError(t, json.Unmarshal([]byte(line), &f), string(out))
		found[f.Check] = f
	}
	return found
}

// HAProxy delays each event of a chunked stream by a fifth of a second, unless it has the option http-no-delay.
func TestDoctorMeasuresTheDelayOfEvents(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	for option, want := range map[string]doctor.Result{"": doctor.Warning, "  option http-no-delay": doctor.OK} {
		address := behind(t, []string{"haproxy", "-db", "-f"}, haproxySite, s.Port, option)
		for role, measured := range map[access.Role]string{access.Admin: "An event came",
			access.Manager: "The first word of a stream came"} {
			f := examine(t, "http://"+address, s.TokenFor("5", 0, role))["delay"]
			require.Equal(t, want, f.Result, "%s with %q: %s", role, option, f.Found)
			require.Contains(t, f.Found, measured)
			if want == doctor.Warning {
				require.Regexp(t, ` [0-9.]+ms (after|later)`, f.Found)
				require.Contains(t, f.Change, "option http-no-delay")
			}
		}
	}
}

// behind runs a proxy in front of a port until the test ends, and returns its
// address.
func behind(t *testing.T, command []string, config, port, option string) string {
	t.Helper()
	dir, own := t.TempDir(), freePort(t)
	file := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, config, dir, own, "127.0.0.1:"+port, option), 0o600))
	between := &proxy{t: t, args: append(append([]string{find(t, command[0])}, command[1:]...), file)}
	between.up(fmt.Sprintf("127.0.0.1:%d", own))
	t.Cleanup(between.cut)
	return fmt.Sprintf("localhost:%d", own)
}

// The doctor names the effect of a proxy's configuration on a stream, and reports nothing about a proxy without an
// effect.
func TestDoctorNamesWhatProxiesDoToStreams(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	admin := s.TokenFor("5", 0, access.Admin)
	haproxy, nginx, caddy := []string{
		"haproxy",
		"-db",
		"-f",
	}, []string{
		"nginx",
		"-e",
		"stderr",
		"-c",
	}, []string{
		"caddy",
		"run",
		"--adapter",
		"caddyfile",
		"--config",
	}
	passwords := filepath.Join(t.TempDir(), "passwords")
	require.NoError(t, os.WriteFile(passwords, []byte("staff:{PLAIN}gatepass\n"), 0o644))
	for name, c := range map[string]struct {
		command        []string
		config, option string
		user           string // of the proxy, before the address
		check          string
		result         doctor.Result
		advice         string
	}{
		"haproxy with compression": {haproxy, haproxySite, "  option http-no-delay\n  compression algo gzip\n  " +
			"compression type text/event-stream", "", "delay", doctor.OK, ""},
		"nginx": {nginx, nginxSite, "proxy_http_version 1.1;", "", "delay", doctor.OK, ""},
		"nginx that buffers": {nginx, nginxSite, "proxy_http_version 1.0; proxy_ignore_headers " +
			"X-Accel-Buffering;", "", "stream", doctor.Failed, "proxy_buffering off"},
		"nginx with a password": {nginx, nginxSite, "auth_basic Staff; auth_basic_user_file " + passwords + ";",
			"", "basic", doctor.Failed, "the same header"},
		"nginx with a password, known": {nginx, nginxSite, "auth_basic Staff; auth_basic_user_file " + passwords + ";",
			"staff:gatepass@", "basic", doctor.Warning, "the same header"},
		"caddy":                  {caddy, caddySite, "", "", "delay", doctor.OK, ""},
		"caddy with compression": {caddy, caddySite, "encode gzip", "", "delay", doctor.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := examine(t, "http://"+c.user+behind(t, c.command, c.config, s.Port, c.option), admin)
			f := found[c.check]
			require.Equal(t, c.result, f.Result, "%v", found)
			require.Contains(t, f.Change, c.advice)
			if c.result == doctor.OK {
				require.Equal(t, doctor.OK, found["stream"].Result, "%v", found)
			}
		})
	}
}
