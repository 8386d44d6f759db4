//go:build !js

// Package native is the client's transport over net/http, for command lines, services and tests.
//
// It does not build with GOOS=js: in a browser, package browser is the transport, because net/http
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

// maxBody is the greatest size of an answer that is read whole, in bytes.
const maxBody = 256 << 20

// Transport carries requests to one broker. It is safe for concurrent use.
type Transport struct {
	base   string
	token  string
	client *http.Client
}

var _ port.Transport = (*Transport)(nil)

// New makes a transport to the broker at a URL such as http://localhost:8080. It sends the bearer token,
// if there is one, and the cookies that the broker sets. It follows no redirects, so base must be the
// URL of the broker itself. New returns an error if base is no URL of HTTP.
func New(base, token string) (*Transport, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a broker, such as http://localhost:8080", base)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	// A transport of its own: Close must not close idle connections of the rest of the program.
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.ResponseHeaderTimeout = answerTimeout
	own.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	client := &http.Client{Transport: own, Jar: jar, CheckRedirect: refuseRedirect}
	return &Transport{strings.TrimSuffix(base, "/"), token, client}, nil
}

// Pings of HTTP/2. Without them, a connection that has died silently would get every request for
// minutes.
const (
	pingAfter   = 15 * time.Second // the silence after which a ping is sent, while a request is under way
	pingTimeout = 10 * time.Second // without an answer by then, the connection is closed
)

// answerTimeout is the longest time until an answer begins, even if the caller's context allows more. It is
// longer than a long poll waits. It ends requests on an HTTP/1.1 connection that has died silently.
const answerTimeout = time.Minute

// refuseRedirect refuses redirects, because a redirect would turn a POST into a GET and send the token to
// another port or host.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close ends idle connections.
func (t *Transport) Close() { t.client.CloseIdleConnections() }

// Do implements port.Transport.
func (t *Transport) Do(ctx context.Context, r port.Request) (port.Response, error) {
	answer, err := t.send(ctx, r)
	if err != nil {
		return port.Response{}, err
	}
	defer answer.Body.Close()
	return readWhole(answer)
}

// pieceSize is the greatest size of a piece of a stream, in bytes.
const pieceSize = 32 << 10

// Stream implements port.Transport.
func (t *Transport) Stream(ctx context.Context, r port.Request, handle func([]byte) error) (port.Response, error) {
	// Without this header, a proxy may compress the stream, and hold it back to do so.
	answer, err := t.send(ctx, r, "Accept-Encoding", "identity")
	if err != nil {
		return port.Response{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || head(answer).ContentType != "text/event-stream" {
		return readWhole(answer)
	}
	buffer := make([]byte, pieceSize)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			if err := handle(buffer[:n]); err != nil {
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

// send sends a request with further headers, which are given as names and values in turn.
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
		// net/http repeats a request with this key. It sends no header that has no values.
		request.Header["Idempotency-Key"] = []string{}
	}
	answer, err := t.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the broker cannot be reached: %w", err)
	}
	return answer, nil
}

// readWhole reads the whole answer.
func readWhole(answer *http.Response) (port.Response, error) {
	r := head(answer)
	var err error
	if r.Body, err = io.ReadAll(io.LimitReader(answer.Body, maxBody)); err != nil {
		return r, fmt.Errorf("native: %w", err)
	}
	return r, nil
}

// head returns an answer without its body.
func head(answer *http.Response) port.Response {
	h := answer.Header
	r := port.Response{
		Status:      answer.StatusCode,
		RetryAfter:  h.Get("Retry-After"),
		ContentType: port.MediaType(h.Get("Content-Type")),
	}
	if to, err := answer.Location(); err == nil {
		to.RawQuery, to.User = "", nil // Logs show this address, and the query of a login page may hold secrets.
		r.Location = to.String()
	}
	return r
}
