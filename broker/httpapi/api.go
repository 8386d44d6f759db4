package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/problem"
)

// An API is the handler of all paths of the broker. It is safe for concurrent
// use. The caller runs [API.Run] while it serves, and calls [API.Shutdown] when the
// hub has been drained.
type API struct {
	Config
	handler  http.Handler // written by New and NewFront alone
	routes   []route      // written by New and NewFront alone
	grants   *grantWatcher
	gate     *connectionGate
	rates    *rateLimiters
	timeouts timeouts
	status   *status

	hijacked sync.WaitGroup     // counts the connections that the HTTP server has forgotten, because they were hijacked
	abort    context.Context    // ends when Shutdown closes the hijacked connections that are left
	abortAll context.CancelFunc // ends abort
}

// A route is one method of one path.
type route struct {
	method, path string
	handler      http.HandlerFunc
}

// An authenticatedHandler handles a request whose sender is known.
type authenticatedHandler func(w http.ResponseWriter, r *http.Request, p identity.Principal)

// New returns the API of a broker.
func New(c Config) *API {
	a := newWithoutRoutes(c)
	socket := c.Socket
	if socket == nil {
		socket = a.handleGetWS
	}
	a.routes = []route{
		{"GET", "/api/sse", a.authenticated(a.handleGetSSE)},
		{"POST", "/api/sse", a.authenticated(a.handlePostSSE)},
		{"GET", "/api/ws", socket},
		{"GET", "/api/events", a.authenticated(a.handleGetEvents)},
		{"GET", "/api/snapshot", a.authenticated(a.handleGetSnapshot)},
		{"GET", "/api/stats", a.adminOnly(a.handleGetStats)},
		{"POST", "/api/connections/{id}/close", a.adminOnly(a.handlePostConnectionClose)},
		{"POST", "/api/tokens", a.adminOnly(a.handlePostTokens)},
		{"GET", "/api/session", a.handleGetSession},
		{"POST", "/api/session", a.handlePostSession},
		{"DELETE", "/api/session", a.handleDeleteSession},
		{"GET", "/embed/v1/status.js", allowAnyOrigin(a.handleGetStatusJS)},
		{"GET", "/embed/v1/status.json", allowAnyOrigin(a.handleGetStatusJSON)},
		{"GET", "/embed/v1/status.svg", allowAnyOrigin(a.handleGetStatusSVG)},
		{"GET", "/embed/v1/status.events", allowAnyOrigin(a.handleGetStatusEvents)},
		{"GET", "/healthz", a.handleGetHealthz},
		{"GET", "/readyz", a.handleGetReadyz},
	}
	a.routes = append(a.routes, a.documentRoutes()...)
	a.routes = append(a.routes, a.preferenceRoutes()...)
	if c.Push != nil {
		a.routes = append(a.routes, a.pushRoutes()...)
	}
	if c.Metrics != nil {
		a.routes = append(a.routes, route{"GET", "/metrics", a.adminOnly(a.handleGetMetrics)})
	}
	a.mount()
	return a
}

// newWithoutRoutes returns an API that has no handler yet. The caller must set its
// routes and call mount.
func newWithoutRoutes(c Config) *API {
	a := &API{
		Config:   c,
		grants:   newGrantWatcher(c.Authority.AuthenticateCredential),
		rates:    &rateLimiters{byKey: map[string]*rate.Limiter{}},
		timeouts: defaultTimeouts,
		status:   newStatus(),
	}
	a.Limits = c.Limits.withDefaults()
	a.gate = &connectionGate{limits: a.Limits, counts: map[countKey]*connectionCount{}}
	a.abort, a.abortAll = context.WithCancel(context.Background())
	return a
}

// mount makes the handler of the routes. The comment of the package has the order of
// the middleware.
func (a *API) mount() {
	mux, methods := http.NewServeMux(), map[string]string{}
	for _, r := range a.routes {
		pattern, handler := r.method+" "+r.path, r.handler
		if strings.HasPrefix(r.path, "/api/") {
			handler = a.checkQuery(queryParameters[pattern], handler)
		}
		if !slices.Contains(streamingRoutes, pattern) {
			handler = a.detachFromClient(handler)
		}
		mux.HandleFunc(pattern, handler)
		methods[r.path] = strings.TrimPrefix(methods[r.path]+", "+r.method, ", ")
	}
	for path, allowed := range methods {
		mux.HandleFunc(path, a.refuseMethod(allowed))
	}
	mux.HandleFunc("/api", a.refuseNotFound)
	mux.HandleFunc("/api/", a.refuseNotFound)
	mux.Handle("/", a.UI)
	sameOrigin := http.NewCrossOriginProtection()
	for _, origin := range a.Origins {
		if err := sameOrigin.AddTrustedOrigin(origin); err != nil {
			panic(err) // the caller did not call CheckOrigin
		}
	}
	sameOrigin.SetDenyHandler(http.HandlerFunc(a.refuseCrossOrigin))
	a.handler = a.logRequests(a.guard(cors(a.Origins, sameOrigin.Handler(mux))))
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Shutdown waits until all streams and WebSockets whose connections the HTTP server has
// forgotten have ended. The caller must have drained the hub, which tells them to end. When
// ctx ends, Shutdown closes those that are left, and still waits for their ends.
func (a *API) Shutdown(ctx context.Context) {
	done := make(chan struct{})
	go func() { a.hijacked.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	a.abortAll()
	if a.Fanout != nil {
		a.Fanout.EndAll()
	}
	<-done
}

var crossOrigin = newProblem(problem.CrossOrigin)

// refuseCrossOrigin answers a request that changes something and that a page of
// another site has sent.
func (a *API) refuseCrossOrigin(w http.ResponseWriter, r *http.Request) { a.Refuse(w, r, crossOrigin) }

// refuseMethod answers requests to a known path by another method. allowed are the
// methods of the path, such as "GET, POST".
func (a *API) refuseMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		a.Refuse(w, r, newProblem(problem.MethodNotAllowed.FillTitle(r.Method).FillAdvice(allowed)))
	}
}

// refuseNotFound answers requests to a path or an object that does not exist.
func (a *API) refuseNotFound(w http.ResponseWriter, r *http.Request) {
	a.Refuse(w, r, newProblem(problem.NotFound))
}
