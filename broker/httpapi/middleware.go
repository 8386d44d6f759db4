package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/problem"
)

// timeouts bound how long the broker waits for one peer.
type timeouts struct {
	body   time.Duration // until a request's body has arrived
	answer time.Duration // until the peer has received an answer of the API, the wait of a long poll included
	page   time.Duration // until the peer has received a file of the app, perhaps over a slow line
	write  time.Duration // for one write to a stream or WebSocket
	ping   time.Duration // the interval in which the broker checks that a WebSocket's peer is still there
	auth   time.Duration // until the first message of an unauthenticated WebSocket has arrived
}

// defaultTimeouts are those of every API. Tests shorten them.
var defaultTimeouts = timeouts{
	body:   20 * time.Second,
	answer: 2 * time.Minute,
	page:   10 * time.Minute,
	write:  20 * time.Second,
	ping:   20 * time.Second,
	auth:   10 * time.Second,
}

// guard protects the broker from every request alike: it sets the security headers,
// bounds the time of the request, refuses foreign hosts, discards bodies that have no
// meaning, and answers a panic of a handler with the problem "internal".
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setCommonHeaders(w.Header(), r)
		defer a.recoverPanic(w, r)
		a.setDeadlines(w, r)
		// Without this check, a page of another site could make a name of its own
		// resolve to this machine, and would then have the same origin (DNS rebinding).
		if a.LoopbackOnly && !IsLoopbackHost(r.Host) {
			a.Refuse(w, r, newProblem(problem.WrongHost))
			return
		}
		if err := discardBody(w, r); err != nil {
			a.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// setCommonHeaders sets the headers that every answer has. A handler may change them.
func (a *API) setCommonHeaders(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if canSendHSTS(r) {
		h.Set("Strict-Transport-Security", "max-age="+strconv.Itoa(int(a.HSTS.Seconds())))
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		h.Set("Cache-Control", "no-store")
	}
}

// recoverPanic answers a request whose handler has panicked. guard defers it. It
// panics again with http.ErrAbortHandler, by which a handler asks the HTTP server to
// cut the connection.
func (a *API) recoverPanic(w http.ResponseWriter, r *http.Request) {
	v := recover()
	switch v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		requestLog(r).Error("panic", "path", r.URL.Path, "value", v, "stack", string(debug.Stack()))
		a.Refuse(w, r, newProblem(problem.Internal))
	}
}

// setDeadlines bounds the time of a request, so that no client can hold it open by not
// sending the body or not receiving the answer. Streams and WebSockets replace the
// deadline of the answer by their own.
func (a *API) setDeadlines(w http.ResponseWriter, r *http.Request) {
	conn := http.NewResponseController(w) // its methods fail only for a writer that is not a connection
	if r.ContentLength != 0 {
		_ = conn.SetReadDeadline(time.Now().Add(a.timeouts.body))
	}
	within := a.timeouts.page
	if strings.HasPrefix(r.URL.Path, "/api/") {
		within = a.timeouts.answer
	}
	_ = conn.SetWriteDeadline(time.Now().Add(within))
}

// streamingRoutes lists the routes whose answer may wait for events. Their handlers
// end when the client leaves.
var streamingRoutes = []string{"GET /api/sse", "GET /api/ws", "GET /api/events", "GET /embed/v1/status.events"}

// detachFromClient lets a request go on after the client has closed its side of the
// connection, for at most timeouts.answer. Such a client may still wait for the answer,
// but net/http cancels the context of its request.
func (a *API) detachFromClient(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.timeouts.answer)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// methodsWithoutBody are the methods for which no route reads a body.
var methodsWithoutBody = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// discardBody reads the body of a request whose method gives it no meaning. A stream or
// a long poll must not begin before the body has ended. Otherwise net/http would not
// notice that the client has left, and the deadline of the body would stay in force.
func discardBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || !slices.Contains(methodsWithoutBody, r.Method) {
		return nil
	}
	_, err := readBody(w, r, maxJSON)
	return err
}

// authenticated returns a handler that passes a request to next with its principal,
// or refuses it.
func (a *API) authenticated(next authenticatedHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := a.Authority.Authenticate(r)
		if err != nil {
			a.logRefusal(r, err)
			a.Refuse(w, r, err)
			return
		}
		next(w, r, p)
	}
}

// adminOnly returns a handler that passes the requests of admins to next, and refuses
// all others.
func (a *API) adminOnly(next authenticatedHandler) http.HandlerFunc {
	return a.authenticated(func(w http.ResponseWriter, r *http.Request, p identity.Principal) {
		if !p.Grant.HasRole(access.Admin) {
			a.Refuse(w, r, newProblem(problem.AdminsOnly))
			return
		}
		next(w, r, p)
	})
}

// logRefusal logs why a token was refused. It does nothing for other errors.
func (a *API) logRefusal(r *http.Request, err error) {
	if errors.Is(err, identity.ErrInvalid) {
		requestLog(r).Info("token refused", "reason", err, "address", a.clientAddress(r))
	}
}

// canSendHSTS reports whether an answer may tell the browser to use HTTPS alone. A browser
// applies this to all ports of a name, so a broker on a port other than 443 must not send
// it. It has no meaning for IP addresses and for the names of this machine.
func canSendHSTS(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "443"
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	isName := host != "" && err != nil
	return r.TLS != nil && port == "443" && isName && !IsLoopbackHost(host)
}

// NeedsSecureCookie reports whether the cookie of an answer must be marked for HTTPS
// only. It returns false only for plain HTTP to a name of this machine.
func NeedsSecureCookie(r *http.Request) bool { return r.TLS != nil || !IsLoopbackHost(r.Host) }

// IsLoopbackHost reports whether a Host header, with or without a port, names this
// machine.
func IsLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.Contains(host, ":") { // an IPv6 address without a port
		host = strings.Trim(host, "[]")
	}
	return strings.HasSuffix(host, ".localhost") || loopback.IsHost(host)
}
