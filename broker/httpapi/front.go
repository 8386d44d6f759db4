package httpapi

import (
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
)

// A ForwardFunc passes a request that the front has accepted on to the API behind it.
// p is the sender, or nil for a route that needs no authentication.
type ForwardFunc func(w http.ResponseWriter, r *http.Request, p *identity.Principal)

// NewFront returns an API that stands in front of another one, which may be far away.
// The front authenticates requests, and refuses those that every API behind it would
// refuse, with the same problems. It answers the requests about sessions and documents,
// and GET /healthz, by itself. It passes all other requests, and sign-outs, to forward.
// See [Config] for the fields that it uses. It needs no [API.Run].
func NewFront(c Config, forward ForwardFunc) *API {
	a := newWithoutRoutes(c)
	forwardKnown := func(w http.ResponseWriter, r *http.Request, p identity.Principal) { forward(w, r, &p) }
	public := func(w http.ResponseWriter, r *http.Request) { forward(w, r, nil) }
	signedIn := a.authenticated(forwardKnown)
	admin := a.adminOnly(forwardKnown)
	a.routes = append(a.documentRoutes(),
		route{"GET", "/api/sse", signedIn},
		route{"POST", "/api/sse", a.authenticated(a.checkThenForward(forward))},
		route{"GET", "/api/ws", a.checkUpgradeThenForward(signedIn)},
		route{"GET", "/api/events", signedIn},
		route{"GET", "/api/snapshot", signedIn},
		route{"GET", "/api/stats", admin},
		route{"POST", "/api/connections/{id}/close", admin},
		route{"POST", "/api/tokens", admin},
		route{"GET", "/api/session", a.handleGetSession},
		route{"POST", "/api/session", a.handlePostSession},
		route{"DELETE", "/api/session", a.signOutThenForward(forward)},
		route{"GET", "/api/push/key", signedIn},
		route{"GET", "/api/push/subscriptions", signedIn},
		route{"POST", "/api/push/subscriptions", signedIn},
		route{"DELETE", "/api/push/subscriptions/{id}", signedIn},
		route{"POST", "/api/push/subscriptions/{id}/test", signedIn},
		route{"GET", "/api/push/preferences", signedIn},
		route{"PUT", "/api/push/preferences", signedIn},
		route{"GET", "/metrics", admin},
		route{"GET", "/embed/v1/status.json", public},
		route{"GET", "/embed/v1/status.svg", public},
		route{"GET", "/embed/v1/status.events", public},
		route{"GET", "/healthz", a.handleGetHealthz},
		route{"GET", "/readyz", public},
	)
	a.mount()
	return a
}

// checkThenForward returns a handler that validates the events of a request to publish
// before it forwards the request.
func (a *API) checkThenForward(forward ForwardFunc) authenticatedHandler {
	return func(w http.ResponseWriter, r *http.Request, p identity.Principal) {
		pub, err := a.readPublication(w, r, p)
		if err == nil {
			err = a.Hub.Check(p.Grant, pub.events, pub.batch, pub.options)
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		forward(w, r, &p)
	}
}

// checkUpgradeThenForward returns a handler that checks the handshake of a WebSocket
// before it forwards the request. Clients must authenticate by a header or a cookie:
// the front forwards no WebSocket that would do so in its first message.
func (a *API) checkUpgradeThenForward(forward http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := a.CheckUpgrade(w, r); err != nil {
			a.Refuse(w, r, err)
			return
		}
		forward(w, r)
	}
}

// signOutThenForward returns a handler that deletes the sign-in's cookie, and forwards
// the request so that the API behind the front ends what is open.
func (a *API) signOutThenForward(forward ForwardFunc) http.HandlerFunc {
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
		if err != nil { // a client that is not signed in is already signed out
			w.WriteHeader(http.StatusNoContent)
			return
		}
		forward(w, r, &p)
	}
}
