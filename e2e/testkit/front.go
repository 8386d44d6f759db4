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

// A Front is a proxy in front of a broker. It can answer requests itself, and change the script of the service worker.
type Front struct {
	URL string

	mu sync.Mutex // guards all fields below
	// Answer answers a request if it returns true. nil passes all requests on.
	Answer func(w http.ResponseWriter, r *http.Request) bool
	// Script is appended to the script of the service worker.
	Script string
	// Version replaces the version of the service worker. "" keeps it.
	Version  string
	requests []http.Request    // in their order, without bodies
	bodies   map[string]string // the body of the last POST, by path
}

// NewFront starts a Front that runs until the test ends.
func NewFront(t *testing.T, s *stack.Stack) *Front {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	f := &Front{bodies: map[string]string{}}
	pass := &httputil.ReverseProxy{
		FlushInterval:  -1,
		ModifyResponse: f.changeWorker,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if r.In.URL.Path == "/app-worker.js" {
				r.Out.Header.Del("Accept-Encoding")
				r.Out.Header.Del("If-None-Match")
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
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

// changeWorker appends Script to the script of the service worker and replaces its version by Version.
func (f *Front) changeWorker(r *http.Response) error {
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

// With calls change while no request reads the fields of the Front.
func (f *Front) With(change func(f *Front)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// Count returns the number of requests for a path so far for which filter returns true.
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

// Posted returns the body of the last POST to a path.
func (f *Front) Posted(path string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[path]
}

// IsControlled is JavaScript that is true when a service worker controls the page.
const IsControlled = `navigator.serviceWorker.controller`

// OpenFront opens a page through a Front as the demo user "manager", and waits until the page is live and a service
// worker controls it.
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
