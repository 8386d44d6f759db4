package httpapi

import "net/http"

// handleGetWS is GET /api/ws when Config.Socket is nil. It refuses, because there is no
// connection that it could take over on this platform.
func (a *API) handleGetWS(w http.ResponseWriter, r *http.Request) { a.Refuse(w, r, upgradeRequired) }
