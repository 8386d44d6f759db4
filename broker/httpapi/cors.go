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

// tracingHeaders are those that monitoring scripts add to every request of a
// page: W3C Trace Context and Baggage, B3, and the headers of common products.
// The broker ignores them. A browser sends no request at all when one of its
// headers is not permitted.
var tracingHeaders = []string{"traceparent", "tracestate", "baggage", "b3", "sentry-trace", "uber-trace-id", "newrelic",
	"request-id", "request-context", "elastic-apm-traceparent", "x-amzn-trace-id", "x-cloud-trace-context",
	"x-request-id", "x-correlation-id", "x-requested-with", "cache-control", "pragma"}

// tracingPrefixes begin the names of the other tracing headers.
var tracingPrefixes = []string{"x-b3-", "x-datadog-", "x-instana-", "x-ot-", "ot-"}

// embedPath begins the addresses that pages of every origin may use.
const embedPath = "/embed/"

// embedPreflight answers the preflight of a page that embeds the status. Any
// header may be sent, because none is read.
func embedPreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	h.Set("Access-Control-Max-Age", corsMaxAge)
	h.Set("Allow", "GET, HEAD, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
}

// cors lets pages of the allowed origins use the API, with their cookie where
// the browser sends it. A preflight needs no session. Pages of any other origin
// get no permission, and their browser keeps the answer from them.
func cors(allowed []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && strings.HasPrefix(r.URL.Path, embedPath) {
			embedPreflight(w, r)
			return
		}
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

// permitted returns those of the requested headers that may be sent: the
// API's own, the attributes of a binary CloudEvent, and tracing headers.
func permitted(requested string) string {
	prefixes := append([]string{strings.ToLower(attributePrefix)}, tracingPrefixes...)
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(requested), ",") {
		name = strings.TrimSpace(name)
		if slices.Contains(corsHeaders, name) || slices.Contains(tracingHeaders, name) ||
			slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
