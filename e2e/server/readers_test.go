package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/r3labs/sse/v2"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/output"
	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A reader is a program of somebody else that reads a stream and resumes by
// itself. Its goroutine notes when each event came.
type reader struct {
	name   string
	stderr *output.Buffer
	end    func() // may be called once

	mu   sync.Mutex // guards all below
	ids  []string   // of the events, as they came
	came map[string]time.Time
}

// names is a text that readers spoil in one way or another: letters with bytes
// that are line breaks in Latin-1, and the line breaks of Unicode.
const names = "Ångström & Łąka, 5 €\u0085x\u2028y"

// note takes the data of an event; a hello has no id.
func (r *reader) note(data []byte) {
	var event struct {
		ID   string
		Data struct{ Notes string }
	}
	if err := json.Unmarshal(data, &event); err != nil {
		fmt.Fprintf(r.stderr, "no event: %s\n", data)
		return
	}
	if event.ID == "" {
		return
	}
	if event.Data.Notes != names {
		fmt.Fprintf(r.stderr, "%s has the text %q\n", event.ID, event.Data.Notes)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, event.ID)
	r.came[event.ID] = time.Now()
}

// at returns when an event came; the zero time is not yet.
func (r *reader) at(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.came[id]
}

func newReader(name string) *reader {
	return &reader{name: name, stderr: &output.Buffer{}, came: map[string]time.Time{}}
}

// startReader runs a reader that prints the data of each event on a line.
func startReader(t *testing.T, name, token string, args ...string) *reader {
	t.Helper()
	r := newReader(name)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "TOKEN="+token)
	cmd.Stderr = r.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a shell has children
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			r.note(lines.Bytes())
		}
	}()
	r.end = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-ended
		_ = cmd.Wait() // it was killed
	}
	return r
}

// r3labs reads with the Go client of that name, which takes a proper end for
// the end of all, but comes back after a cut.
func r3labs(t *testing.T, token, url string) *reader {
	t.Helper()
	r := newReader("r3labs/sse")
	ctx, cancel := context.WithCancel(t.Context())
	client := sse.NewClient(url)
	client.Headers["Authorization"] = "Bearer " + token
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := client.SubscribeRawWithContext(ctx, func(m *sse.Event) {
			if len(m.Data) > 0 {
				r.note(m.Data)
			}
		})
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintf(r.stderr, "it ended with %v\n", err)
		}
	}()
	r.end = func() { cancel(); <-ended }
	return r
}

// java compiles the reader for Java's HttpClient, and returns how to run it;
// nil where there is no JDK, which is not needed for anything else.
func java(t *testing.T) []string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Log("there is no JDK here: Java's HttpClient was not tried")
		return nil
	}
	dir := t.TempDir()
	said, err := exec.Command(javac, "-d", dir, "readers/Reader.java").CombinedOutput()
	require.NoError(t, err, "%s", said)
	return []string{find(t, "java"), "-XX:TieredStopAtLevel=1", "-cp", dir, "Reader"}
}

// readersOf starts every kind of reader on a stream.
func readersOf(t *testing.T, java []string, token, url string) []*reader {
	t.Helper()
	all := []*reader{
		startReader(t, "Python requests", token, "/usr/bin/python3", "readers/reader.py", url),
		startReader(t, "curl", token, "bash", "readers/reader.sh", url),
		startReader(t, "Node fetch", token, find(t, "node"), "readers/reader.mjs", url),
		r3labs(t, token, url),
	}
	if java != nil {
		all = append(all, startReader(t, "Java HttpClient", token, append(slices.Clone(java), url)...))
	}
	t.Cleanup(func() {
		for _, r := range all {
			r.end()
			if t.Failed() {
				t.Logf("%s had %v and said:\n%s", r.name, r.ids, r.stderr)
			}
		}
	})
	return all
}

// compressingHAProxyConfig is what docs/operations.md shows, with compression, which the
// broker asks it to leave off for streams.
const compressingHAProxyConfig = `defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend yardline
  bind 127.0.0.1:%[2]d
  compression algo gzip
  compression type text/event-stream
  default_backend broker
backend broker
  server broker %[3]s
`

const plainCaddyConfig = `{
  admin off
  auto_https off
}
http://localhost:%[2]d {
  bind 127.0.0.1
  reverse_proxy %[3]s
}
`

// A way leads from a reader to the broker. cut ends its connections at once,
// and mend lets new ones through.
type way struct {
	base      string
	cut, mend func()
}

// ways are the ways to read. On the direct one the broker itself is killed.
var ways = map[string]func(*testing.T, *stack.Stack) way{
	"directly": func(_ *testing.T, s *stack.Stack) way { return way{s.URL, s.Kill, s.Up} },
	"nginx":    proxied(nginxConfig, "http://", "nginx", "-e", "stderr", "-c"),
	"Caddy":    proxied(plainCaddyConfig, "", "caddy", "run", "--adapter", "caddyfile", "--config"),
	"HAProxy":  proxied(compressingHAProxyConfig, "", "haproxy", "-db", "-f"),
}

// proxied leads through a program with a configuration of its directory, its
// port and the broker's address.
func proxied(config, scheme string, command ...string) func(*testing.T, *stack.Stack) way {
	return func(t *testing.T, s *stack.Stack) way {
		dir, port := t.TempDir(), freePort(t)
		file := filepath.Join(dir, "config")
		text := fmt.Sprintf(config, dir, port, scheme+"127.0.0.1:"+s.Port)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		between := &proxy{t: t, args: append(append([]string{find(t, command[0])}, command[1:]...), file)}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		between.up(address)
		t.Cleanup(func() {
			if between.cmd != nil {
				between.cut()
			}
		})
		return way{fmt.Sprintf("http://localhost:%d", port), between.cut, func() { between.up(address) }}
	}
}

// Common readers receive each event within half a second, also the last one. After a cut they have all events once and
// in order, directly and through proxies.
func TestCommonReadersReceiveEveryEventInTime(t *testing.T) {
	compiled := java(t)
	for name, open := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.Start(t)
			w := open(t, s)
			all := readersOf(t, compiled, s.Token, w.base+"/api/sse?after=oldest")
			n := 0
			publish := func() (id string, at time.Time) {
				n++
				id, at = fmt.Sprintf("e%d", n), time.Now()
				const event = `{"type":"rental_status_updated","id":%q,
					"data":{"rental_id":%d,"status":"active","notes":"` + names + `"}}`
				s.Publish(fmt.Sprintf(event, id, n))
				return id, at
			}
			everybodyHas := func(id string) {
				t.Helper()
				for _, r := range all {
					waittest.Eventually(
						t,
						func() bool { return !r.at(id).IsZero() },
						testkit.ReconnectTimeout,
						5*time.Millisecond,
						"%s has no %s",
						r.name,
						id,
					)
				}
			}
			id, _ := publish()
			everybodyHas(id) // all of them run
			delays := map[string][]time.Duration{}
			measure := func(events int) {
				t.Helper()
				for range events {
					id, at := publish()
					everybodyHas(id) // nothing follows it until they do
					for _, r := range all {
						delays[r.name] = append(delays[r.name], r.at(id).Sub(at))
					}
				}
			}
			measure(7)
			publish()
			w.cut()
			if s.Running() {
				publish() // while nobody can read
			}
			w.mend()
			id, _ = publish()
			everybodyHas(id)
			measure(2)
			var want []string
			for i := range n {
				want = append(want, fmt.Sprintf("e%d", i+1))
			}
			for _, r := range all {
				require.Equal(t, want, r.ids, r.name)
				slices.Sort(delays[r.name])
				median := delays[r.name][len(delays[r.name])/2]
				require.Less(t, median, 500*time.Millisecond, "%s: %v", r.name, delays[r.name])
				t.Logf("%s: %v, at most %v", r.name, median, slices.Max(delays[r.name]))
			}
		})
	}
}
