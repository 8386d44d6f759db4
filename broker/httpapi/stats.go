package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/broker/telemetry/report"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

// admin passes on the requests of admins alone.
func (a *API) admin(next func(http.ResponseWriter, *http.Request, identity.Principal)) http.HandlerFunc {
	return a.signedIn(func(w http.ResponseWriter, r *http.Request, p identity.Principal) {
		if !p.Grant.HasRole(access.Admin) {
			a.Refuse(w, r, newProblem(problem.AdminsOnly))
			return
		}
		next(w, r, p)
	})
}

// stats is GET /api/stats.
func (a *API) stats(w http.ResponseWriter, r *http.Request, _ identity.Principal) {
	var all struct {
		hub.Stats
		report.Report
	}
	all.Stats = a.Hub.Stats()
	all.Report = a.Reporter.Report(r.Context(), a.Log, all.Connections)
	writeJSON(w, http.StatusOK, all)
}

// Bounds of a token's life that an admin signs, in hours.
const (
	leastTTL = 1
	mostTTL  = 365 * 24
)

// mint is POST /api/tokens: a token for a back end, which may publish and read
// nothing. Others are signed on the broker's machine: an admin must not get to
// see by a token what an admin may not see.
func (a *API) mint(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	var body struct {
		User  string `json:"user"`
		Hours int    `json:"hours"`
	}
	err := readJSON(w, r, &body)
	if err == nil && (body.Hours < leastTTL || body.Hours > mostTTL) {
		err = inBody(event.Refuse("/hours", "limit", "from 1 to 8760"))
	}
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	g, err := access.NewGrant(body.User, "", []access.Role{access.Service}, 0)
	if err != nil {
		a.Refuse(w, r, inBody(event.Refuse("/user", "format",
			fmt.Sprintf("a name of 1 to %d bytes without control characters", access.MaxUser))))
		return
	}
	g.Tenant = p.Grant.Tenant
	ttl := time.Duration(body.Hours) * time.Hour
	token, err := a.Authority.Tokens.Create(g, ttl)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	requestLog(r).Info("an admin has signed a token", "for", g.Actor(), "hours", body.Hours)
	writeJSON(w, http.StatusCreated, map[string]any{"token": token, "user": g.User, "roles": g.Roles, "expires": time.Now().Add(ttl).UTC().Truncate(time.Second)})
}

// kick is POST /api/connections/{id}/close: the stream ends, and its client
// does not come back by itself.
func (a *API) kick(w http.ResponseWriter, r *http.Request, _ identity.Principal) {
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
