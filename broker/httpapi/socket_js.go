package httpapi

import "net/http"

// socket is GET /api/ws where Config.Socket is nil. There is no connection to
// take over here.
func (a *API) socket(w http.ResponseWriter, r *http.Request) { a.Refuse(w, r, upgradeRequired) }
