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

// haproxySite is a minimal configuration of HAProxy, as its manual shows one. Its arguments are the directory, the
// port, the broker's address and an option.
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

// nginxSite is like nginxConfig, but also passes WebSockets on. Its arguments are those of haproxySite.
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

// caddySite is a configuration of Caddy. Its arguments are those of haproxySite.
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

// runDoctor runs the doctor on an address, and returns its findings by check.
func runDoctor(t *testing.T, address, token string) map[string]doctor.Finding {
	t.Helper()
	cmd := exec.Command("../../bin/yardline", "doctor", "--json", address)
	cmd.Env = append(os.Environ(), "YARDLINE_TOKEN="+token)
	out, _ := cmd.Output() // The doctor fails if a check fails.
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
		address := startProxy(t, []string{"haproxy", "-db", "-f"}, haproxySite, s.Port, option)
		for role, measured := range map[access.Role]string{
			access.Admin:   "An event came",
			access.Manager: "The first word of a stream came",
		} {
			f := runDoctor(t, "http://"+address, s.TokenFor("5", 0, role))["delay"]
			require.Equal(t, want, f.Result, "%s with %q: %s", role, option, f.Found)
			require.Contains(t, f.Found, measured)
			if want == doctor.Warning {
				require.Regexp(t, ` [0-9.]+ms (after|later)`, f.Found)
				require.Contains(t, f.Change, "option http-no-delay")
			}
		}
	}
}

// startProxy runs a proxy in front of the broker's port until the test ends, and returns the proxy's address.
func startProxy(t *testing.T, command []string, config, port, option string) string {
	t.Helper()
	dir, proxyPort := t.TempDir(), freePort(t)
	file := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, config, dir, proxyPort, "127.0.0.1:"+port, option), 0o600))
	p := newProxy(t, command, file)
	p.start(fmt.Sprintf("127.0.0.1:%d", proxyPort))
	t.Cleanup(p.kill)
	return fmt.Sprintf("localhost:%d", proxyPort)
}

// A proxyCase is a proxy with a configuration, and a finding of the doctor about it.
type proxyCase struct {
	command        []string
	config, option string
	user           string // the user and password for the proxy, before the address
	check          string
	result         doctor.Result
	advice         string // a part of the advice
}

// proxyCases returns the cases of TestDoctorNamesWhatProxiesDoToStreams. passwords is the path of nginx's password
// file.
func proxyCases(passwords string) map[string]proxyCase {
	haproxy := []string{"haproxy", "-db", "-f"}
	nginx := []string{"nginx", "-e", "stderr", "-c"}
	caddy := []string{"caddy", "run", "--adapter", "caddyfile", "--config"}
	askForPassword := "auth_basic Staff; auth_basic_user_file " + passwords + ";"
	return map[string]proxyCase{
		"haproxy with compression": {
			command: haproxy,
			config:  haproxySite,
			option:  "  option http-no-delay\n  compression algo gzip\n  compression type text/event-stream",
			check:   "delay",
			result:  doctor.OK,
		},
		"nginx": {
			command: nginx,
			config:  nginxSite,
			option:  "proxy_http_version 1.1;",
			check:   "delay",
			result:  doctor.OK,
		},
		"nginx that buffers": {
			command: nginx,
			config:  nginxSite,
			option:  "proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering;",
			check:   "stream",
			result:  doctor.Failed,
			advice:  "proxy_buffering off",
		},
		"nginx with a password": {
			command: nginx,
			config:  nginxSite,
			option:  askForPassword,
			check:   "basic",
			result:  doctor.Failed,
			advice:  "the same header",
		},
		"nginx with a password, known": {
			command: nginx,
			config:  nginxSite,
			option:  askForPassword,
			user:    "staff:gatepass@",
			check:   "basic",
			result:  doctor.Warning,
			advice:  "the same header",
		},
		"caddy": {command: caddy, config: caddySite, check: "delay", result: doctor.OK},
		"caddy with compression": {
			command: caddy,
			config:  caddySite,
			option:  "encode gzip",
			check:   "delay",
			result:  doctor.OK,
		},
	}
}

// The doctor reports how the configuration of a proxy changes a stream. It reports no problem about a proxy that does
// not change the stream.
func TestDoctorNamesWhatProxiesDoToStreams(t *testing.T) {
	t.Parallel()
	s := stack.Start(t)
	admin := s.TokenFor("5", 0, access.Admin)
	passwords := filepath.Join(t.TempDir(), "passwords")
	require.NoError(t, os.WriteFile(passwords, []byte("staff:{PLAIN}gatepass\n"), 0o644))
	for name, c := range proxyCases(passwords) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := runDoctor(t, "http://"+c.user+startProxy(t, c.command, c.config, s.Port, c.option), admin)
			f := found[c.check]
			require.Equal(t, c.result, f.Result, "%v", found)
			require.Contains(t, f.Change, c.advice)
			if c.result == doctor.OK {
				require.Equal(t, doctor.OK, found["stream"].Result, "%v", found)
			}
		})
	}
}
