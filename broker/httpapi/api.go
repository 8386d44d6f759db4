package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/broker/telemetry/report"
	"github.com/snd-rental/yardline/shared/problem"
)

// Config holds the dependencies and the settings of an [API]. [New] requires
// Hub, Log, Authority, Preferences, UI, Reporter, Logger and IsDraining.
// [NewFront] requires Hub, Authority, UI, Logger and IsDraining. The zero value
// of every other field is useful. An API never changes its Config.
type Config struct {
	// Hub delivers events and stores those that clients publish. An API from
	// NewFront calls Hub.Check alone. Required.
	Hub *hub.Hub

	// Log is the event log of the Hub. The API asks it for its health, and
	// passes it to Reporter. Required by New; NewFront does not use it.
	Log eventlog.Log

	// Authority authenticates requests, and signs users in and out. Required.
	Authority *identity.Authority

	// Preferences stores which events each user wants to be notified of.
	// Required by New; NewFront does not use it.
	Preferences PreferenceStore

	// Push sends notifications to the users' devices. nil disables push: the
	// API then has no address to add, remove or test a device, and tells
	// clients that push is unavailable. NewFront does not use it.
	Push Push

	// UI serves every path that no route of the API has, and the script at
	// /embed/v1/status.js. Required.
	UI http.Handler

	// Reporter returns what GET /api/stats adds to the statistics of the Hub.
	// Required by New; NewFront does not use it.
	Reporter Reporter

	// Metrics serves GET /metrics, to admins alone. nil means that New adds no
	// such route. NewFront does not use it.
	Metrics http.Handler

	// Logger receives the log of the API. Each line about a request has the
	// request's id. Required: nil panics at the first request.
	Logger *slog.Logger

	// IsDraining reports whether the broker is about to stop. While it does,
	// GET /readyz answers 503 and the API opens no new WebSocket. The API may
	// call it concurrently. Required.
	IsDraining func() bool

	// Warnings returns the warnings that GET /readyz lists beside "ready". The
	// API may call it concurrently; it must not block. nil means that there are
	// none. NewFront does not use it.
	Warnings func() []Warning

	// Socket handles GET /api/ws. nil means that the API takes the connection
	// over by itself, which needs an HTTP server whose response writers can be
	// hijacked. NewFront does not use it.
	Socket http.HandlerFunc

	// HSTS is how long browsers must use HTTPS alone for the broker's name (the
	// max-age of Strict-Transport-Security), in whole seconds. 0 makes browsers
	// forget an earlier value. [DefaultHSTS] is the usual value. The API sends
	// the header only over TLS on port 443, and only for a name that is neither
	// an IP address nor a name of this machine.
	HSTS time.Duration

	// LoopbackOnly makes the API refuse requests whose Host header does not
	// name this machine. It protects a broker without authentication from DNS
	// rebinding. Defaults to false.
	LoopbackOnly bool

	// Origins are the foreign origins whose pages may use the API, such as
	// "https://rental.example". Pages of the broker's own origin always may.
	// [CheckOrigin] must accept each of them, otherwise New and NewFront panic.
	// Empty means none.
	Origins []string

	// Proxies are the address ranges of the reverse proxies in front. The API
	// believes the X-Forwarded-For header of these proxies alone. Empty means
	// that the client's address is that of its connection.
	Proxies []netip.Prefix

	// Limits bound the connections and the requests of each client. A field
	// that is 0 has its default; see [Limits].
	Limits Limits
}

// A Reporter returns the measurements that admins see at GET /api/stats. It must
// be safe for concurrent use. connections is the number of open streams,
// WebSockets and waiting long polls of this broker.
type Reporter interface {
	Report(ctx context.Context, log eventlog.Log, connections int) report.Report
}

// An API is the handler of the whole surface. It is safe for concurrent use.
// Run and Shutdown belong to its life.
type API struct {
	Config
	handler  http.Handler
	routes   []route
	open     *watch
	gate     *gate
	rates    *rates
	patience patience
	status   *status

	sockets sync.WaitGroup  // WebSockets, which the HTTP server knows no more
	cut     context.Context // ends those that take too long to close
	cutAll  context.CancelFunc
}

// A route is one method of one resource.
type route struct {
	method, path string
	handler      http.HandlerFunc
}

// New makes the surface.
func New(c Config) *API {
	a := base(c)
	if c.Socket == nil {
		c.Socket = a.socket
	}
	a.routes = []route{
		{"GET", "/api/sse", a.signedIn(a.stream)},
		{"POST", "/api/sse", a.signedIn(a.publish)},
		{"GET", "/api/ws", c.Socket},
		{"GET", "/api/events", a.signedIn(a.events)},
		{"GET", "/api/snapshot", a.signedIn(a.snapshot)},
		{"GET", "/api/stats", a.admin(a.stats)},
		{"POST", "/api/connections/{id}/close", a.admin(a.kick)},
		{"POST", "/api/tokens", a.admin(a.mint)},
		{"GET", "/api/session", a.whoAmI},
		{"POST", "/api/session", a.signIn},
		{"DELETE", "/api/session", a.signOut},
		{"GET", "/embed/v1/status.js", public(a.widget)},
		{"GET", "/embed/v1/status.json", public(a.statusJSON)},
		{"GET", "/embed/v1/status.svg", public(a.statusSVG)},
		{"GET", "/embed/v1/status.events", public(a.statusEvents)},
		{"GET", "/healthz", a.healthy},
		{"GET", "/readyz", a.readyz},
	}
	a.routes = append(a.routes, a.described()...)
	a.routes = append(a.routes, a.wishRoutes()...)
	if c.Push != nil {
		a.routes = append(a.routes, a.pushRoutes()...)
	}
	if c.Metrics != nil {
		a.routes = append(a.routes, route{"GET", "/metrics", a.admin(func(w http.ResponseWriter, r *http.Request, _ identity.Principal) { c.Metrics.ServeHTTP(w, r) })})
	}
	a.mount()
	return a
}

func base(c Config) *API {
	a := &API{Config: c, open: &watch{open: map[*watched]struct{}{}}, rates: &rates{of: map[string]*rate.Limiter{}}, patience: usualPatience, status: newStatus()}
	a.Limits = c.Limits.withDefaults()
	a.gate = &gate{limits: a.Limits, of: map[string]int{}}
	a.cut, a.cutAll = context.WithCancel(context.Background())
	return a
}

// mount makes the handler of the routes.
func (a *API) mount() {
	mux, methods := http.NewServeMux(), map[string]string{}
	for _, r := range a.routes {
		pattern, handler := r.method+" "+r.path, r.handler
		if strings.HasPrefix(r.path, "/api/") {
			handler = a.checkQuery(parametersOf[pattern], handler)
		}
		if !slices.Contains(endless, pattern) {
			handler = a.whole(handler)
		}
		mux.HandleFunc(pattern, handler)
		methods[r.path] = strings.TrimPrefix(methods[r.path]+", "+r.method, ", ")
	}
	for path, allowed := range methods {
		mux.HandleFunc(path, a.otherMethod(allowed))
	}
	mux.HandleFunc("/api", a.unknown)
	mux.HandleFunc("/api/", a.unknown)
	mux.Handle("/", a.UI)
	sameOrigin := http.NewCrossOriginProtection()
	for _, origin := range a.Origins {
		if err := sameOrigin.AddTrustedOrigin(origin); err != nil {
			panic(err) // CheckOrigin was not asked
		}
	}
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Refuse(w, r, crossOrigin) }))
	a.handler = a.logged(a.guard(cors(a.Origins, sameOrigin.Handler(mux))))
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Shutdown waits for the WebSockets to end, which the hub has told to, and
// cuts those that are left when ctx ends.
func (a *API) Shutdown(ctx context.Context) {
	done := make(chan struct{})
	go func() { a.sockets.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	a.cutAll()
	<-done
}

var crossOrigin = newProblem(problem.CrossOrigin)

func (a *API) otherMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		a.Refuse(w, r, newProblem(problem.MethodNotAllowed.FillTitle(r.Method).FillAdvice(allowed)))
	}
}

func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	a.Refuse(w, r, newProblem(problem.NotFound))
}

// guard sets the headers that every answer has and turns a panic into a 500.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if mayPinTLS(r) {
			h.Set("Strict-Transport-Security", "max-age="+strconv.Itoa(int(a.HSTS.Seconds())))
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				requestLog(r).Error("panic", "path", r.URL.Path, "value", v, "stack", string(debug.Stack()))
				a.Refuse(w, r, newProblem(problem.Internal))
			} else if v != nil {
				panic(v)
			}
		}()
		// Nobody may hold a request open by not sending it, or not taking the
		// answer. Streams and WebSockets have deadlines of their own.
		conn := http.NewResponseController(w)
		if r.ContentLength != 0 {
			_ = conn.SetReadDeadline(time.Now().Add(a.patience.body)) // fails only for what is no connection
		}
		within := a.patience.page
		if strings.HasPrefix(r.URL.Path, "/api/") {
			within = a.patience.answer
		}
		_ = conn.SetWriteDeadline(time.Now().Add(within))
		// Without this, a page of another site could make its own name point
		// here, and would be the same origin (DNS rebinding).
		if a.LoopbackOnly && !IsLoopbackHost(r.Host) {
			a.Refuse(w, r, newProblem(problem.WrongHost))
			return
		}
		if err := dropBody(w, r); err != nil {
			a.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endless lists the methods whose answer may wait for events. Their handlers end
// when the client leaves.
var endless = []string{"GET /api/sse", "GET /api/ws", "GET /api/events", "GET /embed/v1/status.events"}

// whole keeps the context of a request alive after the client has closed its
// side of the connection, because net/http takes such a client for gone. The
// answer has the same deadline as any other.
func (a *API) whole(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.patience.answer)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// dropBody reads the body of a request whose method gives it no meaning. A
// stream or a long poll must not have one under way: net/http sees that a client
// has left only after the body's end, and the body's deadline would outlive it.
func dropBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || !slices.Contains(bodyless, r.Method) {
		return nil
	}
	_, err := readBody(w, r, maxJSON)
	return err
}

var bodyless = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// DefaultHSTS is how long browsers should use HTTPS alone for the broker's name,
// unless Config.HSTS says otherwise.
const DefaultHSTS = 365 * 24 * time.Hour

// mayPinTLS tells whether an answer may tell the browser to use HTTPS alone.
// That holds for all ports of a name, so it is not for a broker that has only
// one of the other ports, nor for the names and addresses of this machine.
func mayPinTLS(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "443"
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	isName := host != "" && err != nil
	return r.TLS != nil && port == "443" && isName && !IsLoopbackHost(host)
}

// NeedsSecureCookie tells whether the cookie of a request is marked for HTTPS only:
// always, except on plain HTTP to a name of this machine.
func NeedsSecureCookie(r *http.Request) bool { return r.TLS != nil || !IsLoopbackHost(r.Host) }

// IsLoopbackHost tells whether a Host header names this machine.
func IsLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.Contains(host, ":") { // an IPv6 address without a port
		host = strings.Trim(host, "[]")
	}
	return strings.HasSuffix(host, ".localhost") || loopback.IsHost(host)
}

// signedIn passes a request on with its principal, or refuses it.
func (a *API) signedIn(next func(http.ResponseWriter, *http.Request, identity.Principal)) http.HandlerFunc {
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

// logRefusal logs the reason why a token was refused.
func (a *API) logRefusal(r *http.Request, err error) {
	if errors.Is(err, identity.ErrInvalid) {
		requestLog(r).Info("token refused", "reason", err, "address", a.address(r))
	}
}

// patience is how long one peer is waited for.
type patience struct {
	body   time.Duration // for a request's body
	answer time.Duration // for an answer of the API to be taken, a long poll's wait included
	page   time.Duration // for a part of the app to be taken, on a slow line
	write  time.Duration // for one write to a stream or WebSocket
	ping   time.Duration // the interval of checks whether the peer of a WebSocket is there
	auth   time.Duration // for the first message of a WebSocket, where it says who it is
}

var usualPatience = patience{body: 20 * time.Second, answer: 2 * time.Minute, page: 10 * time.Minute,
	write: 20 * time.Second, ping: 20 * time.Second,
	auth: 10 * time.Second}

// readyTimeout bounds how long readiness waits for the log.
const readyTimeout = 2 * time.Second

func (a *API) healthy(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	if err := a.ready(r.Context()); err != nil {
		a.Refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, a.readiness())
}

// ready is nil while the broker can take events and serve streams.
func (a *API) ready(ctx context.Context) error {
	select {
	case <-a.Hub.Ready():
	default:
		return hub.ErrNotReady
	}
	if a.IsDraining() {
		return &hub.ClosedError{}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := a.Log.Bounds(ctx); err != nil {
		return err
	}
	return a.Log.Health()
}
