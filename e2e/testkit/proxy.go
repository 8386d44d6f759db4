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

// A Proxy is a proxy in front of a broker. It can answer requests itself, and change the script of the service worker.
type Proxy struct {
	URL string // the URL of the proxy, without a slash at its end

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

// NewProxy starts a Proxy that runs until the test ends.
func NewProxy(t *testing.T, s *stack.Stack) *Proxy {
	t.Helper()
	target, err := url.Parse(s.URL)
	require.NoError(t, err)
	p := &Proxy{bodies: map[string]string{}}
	forward := &httputil.ReverseProxy{
		FlushInterval:  -1,
		ModifyResponse: p.changeWorker,
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
		p.mu.Lock()
		p.requests = append(p.requests, http.Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone()})
		answer := p.Answer
		p.mu.Unlock()
		if r.Method == "POST" {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			p.mu.Lock()
			p.bodies[r.URL.Path] = string(body)
			p.mu.Unlock()
		}
		if answer == nil || !answer(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	t.Cleanup(server.CloseClientConnections)
	return p
}

// changeWorker appends Script to the script of the service worker and replaces its version by Version.
func (p *Proxy) changeWorker(r *http.Response) error {
	p.mu.Lock()
	script, version := p.Script, p.Version
	p.mu.Unlock()
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

// With calls change while no request reads the fields of the Proxy.
func (p *Proxy) With(change func(p *Proxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// Count returns the number of requests for a path so far for which filter returns true.
func (p *Proxy) Count(path string, filter func(r *http.Request) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.requests {
		if r := &p.requests[i]; r.URL.Path == path && filter(r) {
			n++
		}
	}
	return n
}

// Posted returns the body of the last POST to a path.
func (p *Proxy) Posted(path string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bodies[path]
}

// IsControlled is JavaScript that is true when a service worker controls the page.
const IsControlled = `navigator.serviceWorker.controller`

// OpenThroughProxy opens a page through a Proxy as the demo user "manager", and waits until the page is live and a
// service worker controls it.
func OpenThroughProxy(t *testing.T, p *Proxy, u *browser.User, path string) *browser.Tab {
	t.Helper()
	tab := u.NewTab()
	tab.Open(p.URL + path)
	tab.Eventually(Soon, `document.querySelector("[data-user=manager], .header [data-status]")`)
	if browser.Eval[bool](tab, `document.querySelector("[data-user]") !== null`) {
		tab.Click("[data-user=manager]")
	}
	tab.Eventually(Soon, IsLive)
	tab.Eventually(Soon, IsControlled)
	return tab
}
