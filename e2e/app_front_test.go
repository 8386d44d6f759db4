package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
)

// A front passes everything on to a broker. It may answer by itself, and change the worker's script.
type front struct {
	URL string

	mu       sync.Mutex // guards all below
	answer   func(w http.ResponseWriter, r *http.Request) bool
	script   string            // runs before the worker's own
	version  string            // of the worker, in the place of its own; "" leaves that
	requests []http.Request    // without their bodies, in order
	bodies   map[string]string // of the last POST to a path
}

func newFront(t *testing.T, s *stack.Stack) *front {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	f := &front{bodies: map[string]string{}}
	pass := &httputil.ReverseProxy{FlushInterval: -1, ModifyResponse: f.change,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if r.In.URL.Path == "/app-worker.js" {
				r.Out.Header.Del("Accept-Encoding")
				r.Out.Header.Del("If-None-Match")
			}
		}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, http.Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone()})
		answer := f.answer
		f.mu.Unlock()
		if r.Method == "POST" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			f.mu.Lock()
			f.bodies[r.URL.Path] = string(body)
			f.mu.Unlock()
		}
		if answer == nil || !answer(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	t.Cleanup(server.CloseClientConnections)
	return f
}

// change puts the script before the worker's, and its version in the place of the worker's.
func (f *front) change(r *http.Response) error {
	f.mu.Lock()
	script, version := f.script, f.version
	f.mu.Unlock()
	if r.Request.URL.Path != "/app-worker.js" || r.StatusCode != 200 {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	text := string(body)
	if version != "" {
		_, rest, _ := strings.Cut(text, "\";\n")
		text = fmt.Sprintf("const version = %q;\n%s", version, rest)
	}
	text += "\n" + script
	r.Body = io.NopCloser(strings.NewReader(text))
	r.Header.Del("ETag")
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// with changes it while it works.
func (f *front) with(change func(f *front)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// count is how many requests for a path came so far, of which each must have passed the filter.
func (f *front) count(path string, filter func(r *http.Request) bool) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.requests {
		if r := &f.requests[i]; r.URL.Path == path && filter(r) {
			n++
		}
	}
	return n
}

// posted is the body of the last POST to a path.
func (f *front) posted(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[path]
}
