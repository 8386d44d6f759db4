package webui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAppIsServedCompressedWithItsPolicy needs the built app: run make build.
func TestAppIsServedCompressedWithItsPolicy(t *testing.T) {
	require.True(t, IsBuilt(), "the app is not built: run make build")
	h := Handler()
	get := func(path string, headers ...string) *http.Response {
		r := httptest.NewRequest("GET", path, nil)
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	const browser = "Accept: text/html,application/xhtml+xml"
	for path, kind := range map[string]string{
		"/":                     "text/html",
		"/sse-test":             "text/html",
		"/rentals/7.5":          "text/html",
		"/web/app.wasm":         "application/wasm",
		"/app-worker.js":        "application/javascript",
		"/manifest.webmanifest": "application/manifest+json",
		"/web/icon-192.png":     "image/png",
	} {
		for encoding, want := range map[string]string{"br, gzip": "br", "gzip": "gzip", "identity": ""} {
			answer := get(path, browser, "Accept-Encoding: "+encoding)
			require.Equal(t, 200, answer.StatusCode, path)
			got := answer.Header.Get("Content-Type")
			require.True(t, strings.HasPrefix(got, kind), "%s: %s", path, got)
			if !strings.HasSuffix(path, ".png") {
				require.Equal(t, want, answer.Header.Get("Content-Encoding"), "%s as %s", path, encoding)
			}
			require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'self'")
			require.Equal(t, "no-cache", answer.Header.Get("Cache-Control"))
		}
	}
	require.Equal(t, 404, get("/no/such.js").StatusCode, "a script that is missing is no page")
	first := get("/web/main.css", "Accept-Encoding: br")
	revalidated := get("/web/main.css", "Accept-Encoding: br", "If-None-Match: "+first.Header.Get("ETag"))
	require.Equal(t, 304, revalidated.StatusCode)
}
