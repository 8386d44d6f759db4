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

// CheckUpgrade checks the handshake of a WebSocket, and returns the filter and the cursor
// that the client asks for. The handshake must follow RFC 6455, section 4.2.1, and must not
// come from a page of a foreign origin, because a browser sends the cookie with a WebSocket
// of any page. The error is one that [API.Refuse] can answer with; CheckUpgrade may have set
// headers of that answer.
func (a *API) CheckUpgrade(
	w http.ResponseWriter, r *http.Request,
) (f filter.Filter, after *wire.Cursor, err error) {
	isHandshake := r.ProtoMajor == 1 &&
		hasToken(r.Header, "Connection", "upgrade") &&
		hasToken(r.Header, "Upgrade", "websocket") &&
		r.Header.Get("Sec-WebSocket-Version") == "13"
	if !isHandshake {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		return f, nil, upgradeRequired
	}
	if !a.isAllowedOrigin(r) {
		return f, nil, crossOrigin
	}
	if !hasToken(r.Header, "Sec-WebSocket-Protocol", wire.Subprotocol) {
		return f, nil, newProblem(problem.SubprotocolRequired.FillAdvice(wire.Subprotocol))
	}
	if a.IsDraining() {
		return f, nil, &hub.ClosedError{}
	}
	return parseStreamRequest(r)
}

// hasToken reports whether a header, which is a list of tokens, has a token. Letter case
// does not matter.
func hasToken(h http.Header, name, token string) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}

// isAllowedOrigin reports whether a request comes from no page, from a page of the broker
// or from one of an allowed origin.
func (a *API) isAllowedOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(a.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// parseFilter reads a filter that is written as a query.
func parseFilter(text string) (filter.Filter, error) {
	q, err := parseQuery(text)
	if err == nil {
		err = checkParameters(q, filter.Parameters...)
	}
	if err != nil {
		return filter.Filter{}, err
	}
	return filter.Parse(q)
}
