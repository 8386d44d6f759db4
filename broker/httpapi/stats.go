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
	"github.com/snd-rental/yardline/shared/wire"
)

// handleGetStats is GET /api/stats. It answers admins with the connections and the
// measurements of this broker.
func (a *API) handleGetStats(w http.ResponseWriter, r *http.Request, _ identity.Principal) {
	var all struct {
		hub.Stats
		report.Report
	}
	all.Stats = a.Hub.Stats()
	all.Report = a.Reporter.Report(r.Context(), a.Log, all.Connections)
	writeJSON(w, http.StatusOK, all)
}

// handleGetMetrics is GET /metrics. Config.Metrics answers it, to admins alone.
func (a *API) handleGetMetrics(w http.ResponseWriter, r *http.Request, _ identity.Principal) {
	a.Metrics.ServeHTTP(w, r)
}

// Bounds of the lifetime of a token that an admin creates, in hours.
const (
	minTokenHours = 1
	maxTokenHours = 365 * 24
)

// handlePostTokens is POST /api/tokens. It creates a token for a back end, which may
// publish and can read nothing. Operators create all other tokens on the broker's machine:
// otherwise an admin could create a token that sees more than the admin.
func (a *API) handlePostTokens(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	var body struct {
		User  string `json:"user"`
		Hours int    `json:"hours"`
	}
	err := readJSON(w, r, &body)
	if err == nil && (body.Hours < minTokenHours || body.Hours > maxTokenHours) {
		err = inBody(event.Refuse("/hours", event.CodeLimit, "from 1 to 8760"))
	}
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	g, err := access.NewGrant(body.User, "", []access.Role{access.Service}, 0)
	if err != nil {
		a.Refuse(w, r, inBody(event.Refuse("/user", event.CodeFormat,
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
	writeJSON(w, http.StatusCreated, map[string]any{
		"token":   token,
		"user":    g.User,
		"roles":   g.Roles,
		"expires": time.Now().Add(ttl).UTC().Truncate(time.Second),
	})
}

// handlePostConnectionClose is POST /api/connections/{id}/close. It ends a stream, whose
// client does not reconnect by itself.
func (a *API) handlePostConnectionClose(w http.ResponseWriter, r *http.Request, _ identity.Principal) {
	found := false
	a.Hub.CloseWhere(wire.ByeStop, func(s *hub.Subscriber) bool {
		match := s.ID == r.PathValue("id")
		found = found || match
		return match
	})
	if !found {
		a.refuseNotFound(w, r)
		return
	}
	requestLog(r).Info("connection closed by an admin", "connection", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
