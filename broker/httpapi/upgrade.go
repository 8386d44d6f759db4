package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/snd-rental/yardline/broker/hub"
	"github.com/snd-rental/yardline/shared/filter"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/shared/wire"
)

var upgradeRequired = newProblem(problem.UpgradeRequired)

// CheckUpgrade holds the handshake to RFC 6455, section 4.2.1, and to the
// origins that may use the API: a browser sends the cookie with a WebSocket of
// any page.
func (a *API) CheckUpgrade(w http.ResponseWriter, r *http.Request) (f filter.Filter, after *wire.Cursor, err error) {
	has := func(header, token string) bool {
		for part := range strings.SplitSeq(strings.Join(r.Header.Values(header), ","), ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
		return false
	}
	if r.ProtoMajor != 1 || !has("Connection", "upgrade") || !has("Upgrade", "websocket") || r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		return f, nil, upgradeRequired
	}
	if !a.knownOrigin(r) {
		return f, nil, crossOrigin
	}
	if !has("Sec-WebSocket-Protocol", wire.Subprotocol) {
		return f, nil, newProblem(problem.SubprotocolRequired.FillAdvice(wire.Subprotocol))
	}
	if a.IsDraining() {
		return f, nil, &hub.ClosedError{}
	}
	return asked(r)
}

// knownOrigin tells whether a request comes from no page, one of ours or one
// of an allowed origin.
func (a *API) knownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(a.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// filterOf reads a filter in its query form.
func filterOf(text string) (filter.Filter, error) {
	q, err := parseQuery(text)
	if err == nil {
		err = onlyParameters(q, filter.Parameters...)
	}
	if err != nil {
		return filter.Filter{}, err
	}
	return filter.Parse(q)
}
