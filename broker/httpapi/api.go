package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
)

// Config is what the surface stands on. Every field but
// Loopback and Origins is required.
type Config struct {
	Hub       *hub.Hub
	Log       eventlog.Log
	Authority *identity.Authority
	UI        http.Handler // serves everything that is not the API
	Logger    *slog.Logger
	Draining  func() bool // the broker is about to stop
	Loopback  bool        // answer only to names of this machine
	Origins   []string    // whose pages may use the API beside our own; see CheckOrigin
}

// api holds the handlers. It is safe for concurrent use.
type api struct {
	Config
}

// New returns the handler of the whole surface.
func New(c Config) http.Handler {
	a := &api{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/sse", a.signedIn(a.stream))
	mux.HandleFunc("POST /api/sse", a.signedIn(a.publish))
	mux.HandleFunc("GET /api/events", a.signedIn(a.events))
	mux.HandleFunc("GET /api/snapshot", a.signedIn(a.snapshot))
	mux.HandleFunc("GET /api/stats", a.admin(a.stats))
	mux.HandleFunc("POST /api/connections/{id}/close", a.admin(a.kick))
	mux.HandleFunc("GET /api/session", a.whoAmI)
	mux.HandleFunc("POST /api/session", a.signIn)
	mux.HandleFunc("DELETE /api/session", a.signOut)
	mux.HandleFunc("GET /healthz", a.healthy)
	mux.HandleFunc("GET /readyz", a.readyz)
	for _, path := range []string{"/api", "/api/", "/healthz", "/readyz"} {
		mux.HandleFunc(path, a.unknown)
	}
	mux.Handle("/", c.UI)
	sameOrigin := http.NewCrossOriginProtection()
	for _, origin := range c.Origins {
		if err := sameOrigin.AddTrustedOrigin(origin); err != nil {
			panic(err) // CheckOrigin was not asked
		}
	}
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.refuse(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Title: "The request came from another site",
			Detail: "Send it from the same origin, or with a bearer token from a program."})
	}))
	return a.guard(cors(c.Origins, sameOrigin.Handler(mux)))
}

// methods says which methods a path of the API has, for 405.
var methods = map[string]string{
	"/api/sse": "GET, POST", "/api/events": "GET", "/api/stats": "GET", "/api/snapshot": "GET", "/api/session": "GET, POST, DELETE", "/healthz": "GET", "/readyz": "GET",
}

func (a *api) unknown(w http.ResponseWriter, r *http.Request) {
	if allowed, found := methods[r.URL.Path]; found {
		w.Header().Set("Allow", allowed)
		a.refuse(w, r, &Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Title: "This address does not take " + r.Method, Detail: "It takes " + allowed + "."})
		return
	}
	a.refuse(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found", Title: "There is nothing at this address", Detail: "See docs/protocol.md for the addresses of the API."})
}

// guard sets the headers that every answer has and turns a panic into a 500.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				a.Logger.Error("panic", "path", r.URL.Path, "value", v)
				a.refuse(w, r, &Problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Something went wrong on the server", Detail: "Try again. If it happens again, tell your administrator."})
			} else if v != nil {
				panic(v)
			}
		}()
		// Without this, a page of another site could make its own name point
		// here, and would be the same origin (DNS rebinding).
		if a.Loopback && !loopbackHost(r.Host) {
			a.refuse(w, r, &Problem{Status: http.StatusMisdirectedRequest, Code: "wrong_host", Title: "This broker answers to names of its own machine only",
				Detail: "Use http://localhost or a loopback address."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// signedIn passes a request on with its principal, or refuses it.
func (a *api) signedIn(next func(http.ResponseWriter, *http.Request, identity.Principal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := a.Authority.Authenticate(r)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		next(w, r, p)
	}
}

// readyTimeout bounds how long readiness waits for the log.
const readyTimeout = 2 * time.Second

func (a *api) healthy(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	select {
	case <-a.Hub.Ready():
	default:
		a.refuse(w, r, hub.ErrNotReady)
		return
	}
	if a.Draining() {
		a.refuse(w, r, &hub.Closed{})
		return
	}
	if _, err := a.Log.Bounds(ctx); err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
