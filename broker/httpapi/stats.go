package httpapi

import (
	"net/http"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// admin passes on the requests of admins alone.
func (a *API) admin(next http.HandlerFunc) http.HandlerFunc {
	return a.signedIn(func(w http.ResponseWriter, r *http.Request, p identity.Principal) {
		if !p.Grant.Has(access.Admin) {
			a.refuse(w, r, &Problem{Status: http.StatusForbidden, Code: "forbidden", Title: "This is for admins", Detail: "Ask your administrator."})
			return
		}
		next(w, r)
	})
}

// stats is GET /api/stats.
func (a *API) stats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.Hub.Stats())
}

// kick is POST /api/connections/{id}/close: the stream ends, and its client
// does not come back by itself.
func (a *API) kick(w http.ResponseWriter, r *http.Request) {
	found := false
	a.Hub.CloseWhere(wire.ByeStop, func(s *hub.Subscriber) bool {
		match := s.ID == r.PathValue("id")
		found = found || match
		return match
	})
	if !found {
		a.unknown(w, r)
		return
	}
	requestLog(r).Info("connection closed by an admin", "connection", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
