package httpapi

import (
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
)

// handleGetSnapshot is GET /api/snapshot. It answers with the state that the caller may
// see.
func (a *API) handleGetSnapshot(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	snapshot, err := a.Hub.Snapshot(r.Context(), p.Grant)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, snapshot)
}
