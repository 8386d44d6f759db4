package httpapi

import (
	"net/http"

	"github.com/snd-rental/yardline/broker/identity"
)

// snapshot is GET /api/snapshot.
func (a *API) snapshot(w http.ResponseWriter, r *http.Request, p identity.Principal) {
	s, err := a.Hub.Snapshot(r.Context(), p.Grant)
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s)
}
