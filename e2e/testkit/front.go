package testkit

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

	"github.com/snd-rental/yardline/e2e/browser"
	"github.com/snd-rental/yardline/e2e/stack"
)

// A front passes everything on to a broker. It may answer by itself, and change the worker's script.
type Front struct {
	URL string

	mu       sync.Mutex // guards all below
	Answer   func(w http.ResponseWriter, r *http.Request) bool
	Script   string            // runs before the worker's own
	Version  string            // of the worker, in the place of its own; "" leaves that
	requests []http.Request    // without their bodies, in order
	bodies   map[string]string // of the last POST to a path
}

func NewFront(t *testing.T, s *stack.Stack) *Front {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	f := &Front{bodies: map[string]string{}}
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
		answer := f.Answer
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
func (f *Front) change(r *http.Response) error {
	f.mu.Lock()
	script, version := f.Script, f.Version
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
func (f *Front) With(change func(f *Front)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// count is how many requests for a path came so far, of which each must have passed the filter.
func (f *Front) Count(path string, filter func(r *http.Request) bool) (n int) {
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
func (f *Front) Posted(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[path]
}

const IsControlled = `navigator.serviceWorker.controller`

// openFront signs a user in through a front, and waits until the worker serves the page.
func OpenFront(t *testing.T, f *Front, u *browser.User, path string) *browser.Tab {
	t.Helper()
	tab := u.NewTab()
	tab.Open(f.URL + path)
	tab.Eventually(Soon, `document.querySelector("[data-user=manager], .header [data-status]")`)
	if browser.Eval[bool](tab, `document.querySelector("[data-user]") !== null`) {
		tab.Click("[data-user=manager]")
	}
	tab.Eventually(Soon, IsLive)
	tab.Eventually(Soon, IsControlled)
	return tab
}
