package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CheckOrigin refuses what is no origin as browsers send it: a scheme, a host
// and a port that is not the scheme's own.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin such as https://rental.example", origin)
	}
	return nil
}

// What pages of an allowed origin may send and read (Fetch standard, CORS
// protocol).
var (
	corsMethods = "GET, POST, PUT, DELETE"
	corsHeaders = []string{"authorization", "last-event-id", "content-type", "idempotency-key", "if-entity-cursor"}
	corsExposed = "Retry-After, X-Request-Id"
	corsMaxAge  = "600" // seconds that a browser keeps the answer
)

// cors lets pages of the allowed origins use the API, with their cookie where
// the browser sends it. A preflight needs no session. Pages of any other origin
// get no permission, and their browser keeps the answer from them.
func cors(allowed []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") || len(allowed) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(allowed, origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", corsExposed)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", corsMethods)
				h.Set("Access-Control-Allow-Headers", permitted(r.Header.Get("Access-Control-Request-Headers")))
				h.Set("Access-Control-Max-Age", corsMaxAge)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// permitted are those of the requested headers that may be sent: the list, and
// the attributes of a binary CloudEvent.
func permitted(requested string) string {
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(requested), ",") {
		if name = strings.TrimSpace(name); slices.Contains(corsHeaders, name) || strings.HasPrefix(name, strings.ToLower(attributePrefix)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
