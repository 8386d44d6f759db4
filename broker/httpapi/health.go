package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/snd-rental/yardline/broker/hub"
)

// A Warning is a fault that an operator should correct although the broker serves.
// GET /readyz lists the warnings. Anybody may send that request, so a warning must
// contain no names, addresses or secrets: the broker's log has the causes.
type Warning struct {
	Code   string `json:"code"`   // never changes
	Detail string `json:"detail"` // one sentence with the fault and the remedy
}

// A readiness is the answer of GET /readyz while the broker serves.
type readiness struct {
	Status   string    `json:"status"` // always "ready"
	Warnings []Warning `json:"warnings,omitempty"`
}

// handleGetHealthz is GET /healthz. It answers as long as the process serves requests.
func (a *API) handleGetHealthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// handleGetReadyz is GET /readyz. It answers 200 while the broker can store events and
// serve streams, and refuses otherwise.
func (a *API) handleGetReadyz(w http.ResponseWriter, r *http.Request) {
	if err := a.ready(r.Context()); err != nil {
		a.Refuse(w, r, err)
		return
	}
	answer := readiness{Status: "ready"}
	if a.Warnings != nil {
		answer.Warnings = a.Warnings()
	}
	writeJSON(w, http.StatusOK, answer)
}

// readyTimeout bounds how long ready waits for the log.
const readyTimeout = 2 * time.Second

// ready returns nil while the broker can store events and serve streams, otherwise the
// reason why it cannot.
func (a *API) ready(ctx context.Context) error {
	select {
	case <-a.Hub.Ready():
	default:
		return hub.ErrNotReady
	}
	if a.IsDraining() {
		return &hub.ClosedError{}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := a.Log.Bounds(ctx); err != nil {
		return err
	}
	return a.Log.Health()
}
