package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CheckOrigin returns an error unless origin consists of the scheme http or https, a host
// and optionally a port.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	isWeb := err == nil && (u.Scheme == "https" || u.Scheme == "http")
	if !isWeb || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin such as https://rental.example", origin)
	}
	return nil
}

// The methods and headers that pages of an allowed origin may use (Fetch standard, CORS
// protocol).
var (
	corsMethods = "GET, POST, PUT, DELETE"
	corsHeaders = []string{"authorization", "last-event-id", "content-type", "idempotency-key", "if-entity-cursor"}
	corsExposed = "Retry-After, X-Request-Id"
	corsMaxAge  = "600" // seconds for which a browser keeps the answer to a preflight
)

// tracingHeaders are headers that monitoring scripts add to every request of a page: W3C
// Trace Context and Baggage, B3, and those of common products. The broker ignores them,
// but permits them, because a browser sends no request with a header that is not
// permitted.
var tracingHeaders = []string{"traceparent", "tracestate", "baggage", "b3", "sentry-trace", "uber-trace-id", "newrelic",
	"request-id", "request-context", "elastic-apm-traceparent", "x-amzn-trace-id", "x-cloud-trace-context",
	"x-request-id", "x-correlation-id", "x-requested-with", "cache-control", "pragma"}

// tracingPrefixes begin the names of the other tracing headers.
var tracingPrefixes = []string{"x-b3-", "x-datadog-", "x-instana-", "x-ot-", "ot-"}

// embedPath begins the paths that pages of every origin may use.
const embedPath = "/embed/"

// embedPreflight answers the preflight of a page that embeds the public status. It permits
// every header, because the broker reads none.
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

// cors lets pages of the allowed origins use the API, with their cookie if the browser
// sends it. It answers preflights by itself, so they need no session. Pages of any other
// origin get no permission: their browser hides the answer from them.
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
				h.Set("Access-Control-Allow-Headers", permittedHeaders(r.Header.Get("Access-Control-Request-Headers")))
				h.Set("Access-Control-Max-Age", corsMaxAge)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// permittedHeaders returns those of the requested headers that a page may send: the API's
// own, the attributes of a CloudEvent in binary mode, and tracing headers.
func permittedHeaders(requested string) string {
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
