// A browser has its own transport, which is package browser: net/http would add to the wasm.

//go:build !js

// Package native is the client's transport over net/http, for Go programs:
// command lines, services, tests. It is not for the browser: the HTTP client
// would add 0.8 MB to the wasm.
package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/snd-rental/yardline/wasmclient/port"
)

// maxBody bounds an answer that is read whole, in bytes.
const maxBody = 256 << 20

// Transport reaches one broker. It is safe for concurrent use.
type Transport struct {
	base   string
	token  string
	client *http.Client
}

var _ port.Transport = (*Transport)(nil)

// New reaches the broker at a URL such as http://localhost:8080, with a
// bearer token, or without one by the cookies that it sets. Redirects are not
// followed, so the URL must be the one that the broker is reached at.
func New(base, token string) (*Transport, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a broker, such as http://localhost:8080", base)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	// A transport of our own: closing its idle connections is nobody else's loss.
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.ResponseHeaderTimeout = answerWithin
	own.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin}
	client := &http.Client{Transport: own, Jar: jar, CheckRedirect: stay}
	return &Transport{strings.TrimSuffix(base, "/"), token, client}, nil
}

// Of HTTP/2. Without these pings a connection that died silently takes every
// request for minutes.
const (
	pingAfter  = 15 * time.Second // of silence, while something is under way
	pingWithin = 10 * time.Second // else the connection is dropped
)

// answerWithin is how long an answer may take to begin, whatever deadline the
// caller's context has: more than a long poll waits. A connection of HTTP/1.1 that
// died silently is given up then.
const answerWithin = time.Minute

// stay refuses redirects, because a redirect would turn a POST into a GET and take
// the token to another port or host.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close ends idle connections.
func (t *Transport) Close() { t.client.CloseIdleConnections() }

// Do implements port.Transport.
func (t *Transport) Do(ctx context.Context, r port.Request) (port.Response, error) {
	answer, err := t.send(ctx, r)
	if err != nil {
		return port.Response{}, err
	}
	defer answer.Body.Close()
	return whole(answer)
}

// pieceBytes is how much of a stream is read at once.
const pieceBytes = 32 << 10

// Stream implements port.Transport.
func (t *Transport) Stream(ctx context.Context, r port.Request, take func([]byte) error) (port.Response, error) {
	// Else a proxy may compress the stream, and hold it back to do so.
	answer, err := t.send(ctx, r, "Accept-Encoding", "identity")
	if err != nil {
		return port.Response{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || head(answer).ContentType != "text/event-stream" {
		return whole(answer)
	}
	buffer := make([]byte, pieceBytes)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			if err := take(buffer[:n]); err != nil {
				return head(answer), err
			}
		}
		if errors.Is(err, io.EOF) {
			return head(answer), nil
		}
		if err != nil {
			return head(answer), fmt.Errorf("native: %w", err)
		}
	}
}

// send sends a request with further headers, given as names and values in turn.
func (t *Transport) send(ctx context.Context, r port.Request, more ...string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, t.base+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("native: %w", err)
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	for pair := range slices.Chunk(more, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	if t.token != "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	if r.Repeatable {
		request.Header["Idempotency-Key"] = []string{} // for net/http, which sends none
	}
	answer, err := t.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the broker cannot be reached: %w", err)
	}
	return answer, nil
}

func whole(answer *http.Response) (port.Response, error) {
	r := head(answer)
	var err error
	if r.Body, err = io.ReadAll(io.LimitReader(answer.Body, maxBody)); err != nil {
		return r, fmt.Errorf("native: %w", err)
	}
	return r, nil
}

func head(answer *http.Response) port.Response {
	h := answer.Header
	r := port.Response{Status: answer.StatusCode, RetryAfter: h.Get("Retry-After"),
		ContentType: port.MediaType(h.Get("Content-Type"))}
	if to, err := answer.Location(); err == nil {
		to.RawQuery, to.User = "", nil // Logs show this address, and the query of a login page may hold secrets.
		r.Location = to.String()
	}
	return r
}
