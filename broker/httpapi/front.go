package httpapi

import (
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
)

// A Pass lets a request through the front, to what stands behind it. p is nil
// for what everybody may have.
type Pass func(w http.ResponseWriter, r *http.Request, p *identity.Principal)

// NewFront makes the surface in front of another one, which may be far away: it
// knows who somebody is, refuses what that one would refuse of everybody, in the same
// words, and lets the rest through. Of c.Hub it uses Check alone, and no Log.
func NewFront(c Config, pass Pass) *API {
	a := base(c)
	public := func(w http.ResponseWriter, r *http.Request) { pass(w, r, nil) }
	known := func(w http.ResponseWriter, r *http.Request, p identity.Principal) { pass(w, r, &p) }
	through, admin := a.signedIn(known), a.admin(known)
	a.routes = append(a.described(),
		route{"GET", "/api/sse", through},
		route{"POST", "/api/sse", a.signedIn(a.checked(pass))},
		route{"GET", "/api/ws", a.checkedSocket(through)},
		route{"GET", "/api/events", through},
		route{"GET", "/api/snapshot", through},
		route{"GET", "/api/stats", admin},
		route{"POST", "/api/connections/{id}/close", admin},
		route{"POST", "/api/tokens", admin},
		route{"GET", "/api/session", a.whoAmI},
		route{"POST", "/api/session", a.signIn},
		route{"DELETE", "/api/session", a.signOutThrough(pass)},
		route{"GET", "/api/push/key", through},
		route{"GET", "/api/push/subscriptions", through},
		route{"POST", "/api/push/subscriptions", through},
		route{"DELETE", "/api/push/subscriptions/{id}", through},
		route{"POST", "/api/push/subscriptions/{id}/test", through},
		route{"GET", "/api/push/preferences", through},
		route{"PUT", "/api/push/preferences", through},
		route{"GET", "/metrics", admin},
		route{"GET", "/embed/v1/status.json", public},
		route{"GET", "/embed/v1/status.svg", public},
		route{"GET", "/embed/v1/status.events", public},
		route{"GET", "/healthz", a.healthy},
		route{"GET", "/readyz", public},
	)
	a.mount()
	return a
}

// checked looks at the events of a request to publish before it lets it
// through.
func (a *API) checked(pass Pass) func(http.ResponseWriter, *http.Request, identity.Principal) {
	return func(w http.ResponseWriter, r *http.Request, p identity.Principal) {
		what, err := a.publication(w, r, p)
		if err == nil {
			err = a.Hub.Check(p.Grant, what.events, what.batch, what.options)
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		pass(w, r, &p)
	}
}

// checkedSocket lets WebSockets through of who says who they are by a header
// or a cookie: nobody else is let through, not even to say so.
func (a *API) checkedSocket(through http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := a.CheckUpgrade(w, r); err != nil {
			a.Refuse(w, r, err)
			return
		}
		through(w, r)
	}
}

// signOutThrough takes the cookie back, and lets what stands behind end what
// is open.
func (a *API) signOutThrough(pass Pass) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := a.Authority.Authenticate(r)
		if _, failed := a.Authority.SignOut(w, r); failed != nil {
			a.Refuse(w, r, failed)
			return
		}
		if a.hasBearer(r) {
			a.Refuse(w, r, tokenSignOut)
			return
		}
		if err != nil { // who is not signed in is signed out already
			w.WriteHeader(http.StatusNoContent)
			return
		}
		pass(w, r, &p)
	}
}
