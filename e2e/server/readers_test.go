package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/syncbuffer"
	"github.com/snd-rental/yardline/shared/waittest"
)

// A reader is a program of another project that reads a stream and resumes by itself. A goroutine records when each
// event arrived.
type reader struct {
	name   string
	stderr *syncbuffer.Buffer
	stop   func() // It must be called once.

	mu         sync.Mutex // guards the fields below
	ids        []string   // the ids of the events, in the order of their arrival
	receivedAt map[string]time.Time
}

// difficultText is a text that faulty readers change: it has letters with bytes that are line breaks in Latin-1, and
// the line breaks of Unicode.
const difficultText = "Ångström & Łąka, 5 €\u0085x\u2028y"

// record records the arrival of an event with this data. It ignores data without an id, such as that of hello.
func (r *reader) record(data []byte) {
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
	if event.Data.Notes != difficultText {
		fmt.Fprintf(r.stderr, "%s has the text %q\n", event.ID, event.Data.Notes)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, event.ID)
	r.receivedAt[event.ID] = time.Now()
}

// arrival returns when an event arrived. The zero time means that it has not arrived yet.
func (r *reader) arrival(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.receivedAt[id]
}

// newReader returns a reader that is not started.
func newReader(name string) *reader {
	return &reader{name: name, stderr: &syncbuffer.Buffer{}, receivedAt: map[string]time.Time{}}
}

// startReader starts a program that prints the data of each event on a line.
func startReader(t *testing.T, name, token string, args ...string) *reader {
	t.Helper()
	r := newReader(name)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "TOKEN="+token)
	cmd.Stderr = r.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // stop ends the children of a shell, too.
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			r.record(lines.Bytes())
		}
	}()
	r.stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // It fails if the program has ended.
		<-ended
		_ = cmd.Wait() // It fails because the program was killed.
	}
	return r
}

// startR3Labs starts a reader of the Go package r3labs/sse. The package reconnects after a cut, but not after a stream
// that ends properly. Go's HTTP client asks for gzip by itself.
func startR3Labs(t *testing.T, token, url, encoding string) *reader {
	t.Helper()
	r := newReader("r3labs/sse, " + encoding)
	ctx, cancel := context.WithCancel(t.Context())
	client := sse.NewClient(url)
	client.Headers["Authorization"] = "Bearer " + token
	client.Connection.Transport = &http.Transport{DisableCompression: encoding == identity}
	client.ResponseValidator = func(_ *sse.Client, answer *http.Response) error {
		if answer.StatusCode != http.StatusOK || answer.Uncompressed != (encoding == gzip) {
			return fmt.Errorf("status %d, uncompressed: %t", answer.StatusCode, answer.Uncompressed)
		}
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := client.SubscribeRawWithContext(ctx, func(m *sse.Event) {
			if len(m.Data) > 0 {
				r.record(m.Data)
			}
		})
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintf(r.stderr, "the reader ended with %v\n", err)
		}
	}()
	r.stop = func() { cancel(); <-ended }
	return r
}

// compileJavaReader compiles the reader for Java's HttpClient, and returns the command that runs it. It returns nil if
// there is no JDK, because nothing else needs one.
func compileJavaReader(t *testing.T) []string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Log("there is no JDK here: Java's HttpClient was not tried")
		return nil
	}
	dir := t.TempDir()
	printed, err := exec.Command(javac, "-d", dir, "readers/Reader.java").CombinedOutput()
	require.NoError(t, err, "%s", printed)
	return []string{findServer(t, "java"), "-XX:TieredStopAtLevel=1", "-cp", dir, "Reader"}
}

// The encodings that a reader can demand of its stream. A reader fails on a stream with another one.
const (
	gzip     = "gzip"
	identity = "identity"
)

// startReaders starts one reader of each kind and encoding on a stream. They run until the test ends. Java's HttpClient
// cannot decode gzip. javaCommand is the result of compileJavaReader.
func startReaders(t *testing.T, javaCommand []string, token, url string, encodings ...string) (all []*reader) {
	t.Helper()
	for _, encoding := range encodings {
		start := func(name string, args ...string) {
			all = append(all, startReader(t, name+", "+encoding, token, append(args, url, encoding)...))
		}
		start("Python requests", "/usr/bin/python3", "readers/reader.py")
		start("curl", "bash", "readers/reader.sh")
		start("Node fetch", findServer(t, "node"), "readers/reader.mjs")
		all = append(all, startR3Labs(t, token, url, encoding))
	}
	if javaCommand != nil {
		all = append(all, startReader(t, "Java HttpClient", token, append(slices.Clone(javaCommand), url)...))
	}
	t.Cleanup(func() {
		for _, r := range all {
			r.stop()
			if t.Failed() {
				t.Logf("%s had %v and printed:\n%s", r.name, r.ids, r.stderr)
			}
		}
	})
	return all
}

// compressingHAProxyConfig is the configuration of docs/operations.md with compression. The broker asks proxies not to
// compress streams. Its arguments are the directory, the port and the broker's address.
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

// plainCaddyConfig is a site without TLS. Its arguments are those of compressingHAProxyConfig.
const plainCaddyConfig = `{
  admin off
  auto_https off
}
http://localhost:%[2]d {
  bind 127.0.0.1
  reverse_proxy %[3]s
}
`

// A route leads from a reader to the broker.
type route struct {
	base    string // the URL for the reader
	cut     func() // closes all connections at once, and lets no new ones through
	restore func() // lets new connections through
}

// routes are functions that open the routes from a reader to the broker. A test cuts the direct route by killing the
// broker.
var routes = map[string]func(*testing.T, *stack.Stack) route{
	"directly": func(_ *testing.T, s *stack.Stack) route { return route{s.URL, s.Kill, s.Up} },
	"nginx":    routeThrough(nginxConfig, "http://", "nginx", "-e", "stderr", "-c"),
	"Caddy":    routeThrough(plainCaddyConfig, "", "caddy", "run", "--adapter", "caddyfile", "--config"),
	"HAProxy":  routeThrough(compressingHAProxyConfig, "", "haproxy", "-db", "-f"),
}

// routeThrough returns a function that opens a route through a proxy. The arguments of its configuration are the
// directory, the port and the broker's address behind the scheme.
func routeThrough(config, scheme string, command ...string) func(*testing.T, *stack.Stack) route {
	return func(t *testing.T, s *stack.Stack) route {
		dir, port := t.TempDir(), freePort(t)
		file := filepath.Join(dir, "config")
		text := fmt.Sprintf(config, dir, port, scheme+"127.0.0.1:"+s.Port)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		p := newProxy(t, command, file)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		p.start(address)
		p.killAtEnd()
		return route{
			base:    fmt.Sprintf("http://localhost:%d", port),
			cut:     p.kill,
			restore: func() { p.start(address) },
		}
	}
}

// Readers of other projects receive events with a median delay below half a second, also the last event. After a cut
// they have all events once and in order. This holds for streams of gzip, directly and through proxies, and for plain
// ones.
func TestCommonReadersReceiveEveryEventInTime(t *testing.T) {
	javaCommand := compileJavaReader(t)
	for name, open := range routes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.Start(t)
			r := open(t, s)
			encodings := []string{gzip}
			if name == "directly" {
				encodings = append(encodings, identity)
			}
			testReaders(t, s, r, startReaders(t, javaCommand, s.Token, r.base+"/api/sse?after=oldest", encodings...))
		})
	}
}

// testReaders publishes events one at a time, cuts the route and restores it. All readers must receive all events once,
// in order and in time.
func testReaders(t *testing.T, s *stack.Stack, r route, readers []*reader) {
	n := 0
	publish := func() (id string, publishedAt time.Time) {
		n++
		id, publishedAt = fmt.Sprintf("e%d", n), time.Now()
		const event = `{"type":"rental_status_updated","id":%q,
			"data":{"rental_id":%d,"status":"active","notes":"` + difficultText + `"}}`
		s.Publish(fmt.Sprintf(event, id, n))
		return id, publishedAt
	}
	id, _ := publish()
	waitForArrival(t, readers, id) // All readers run now.
	delays := map[string][]time.Duration{}
	measureDelays := func(events int) {
		t.Helper()
		for range events {
			id, publishedAt := publish()
			waitForArrival(t, readers, id) // No event follows until all readers have this one.
			for _, r := range readers {
				delays[r.name] = append(delays[r.name], r.arrival(id).Sub(publishedAt))
			}
		}
	}
	measureDelays(7)
	publish()
	r.cut()
	if s.Running() {
		publish() // No reader is connected.
	}
	r.restore()
	id, _ = publish()
	waitForArrival(t, readers, id)
	measureDelays(2)
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("e%d", i+1))
	}
	for _, r := range readers {
		require.Equal(t, want, r.ids, r.name)
		slices.Sort(delays[r.name])
		median := delays[r.name][len(delays[r.name])/2]
		require.Less(t, median, 500*time.Millisecond, "%s: %v", r.name, delays[r.name])
		t.Logf("%s: %v, at most %v", r.name, median, slices.Max(delays[r.name]))
	}
}

// waitForArrival waits until all readers have received the event with this id.
func waitForArrival(t *testing.T, readers []*reader, id string) {
	t.Helper()
	for _, r := range readers {
		waittest.Eventually(
			t,
			func() bool { return !r.arrival(id).IsZero() },
			testkit.ReconnectTimeout,
			5*time.Millisecond,
			"%s has no %s",
			r.name,
			id,
		)
	}
}
