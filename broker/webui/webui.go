// Package webui serves the built app. The binary contains the app's files in their
// compressed forms only.
package webui

import (
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"strings"

	"github.com/vearutop/statigz"
	"github.com/vearutop/statigz/brotli"
)

// dist holds the files that the app's build command writes. When the app was not built,
// it holds a note alone.
//
//go:embed all:dist
var dist embed.FS

// ContentSecurityPolicy is the policy of the app's pages. It allows only files of the
// broker and images in data URLs, but no inline script or style. WebAssembly needs the
// source 'wasm-unsafe-eval'.
const ContentSecurityPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; " +
	"img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'"

// Files returns the files of the app. A file with compressed forms is included in these
// forms only.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // The argument is constant.
	}
	return files
}

// IsBuilt tells whether the binary contains the app.
func IsBuilt() bool {
	_, err := fs.Stat(dist, "dist/index.html.br")
	return err == nil
}

// Handler returns the handler that serves the app. It answers a browser's request for a
// page at an unknown path with the app's start page, because the app chooses its page by
// the location.
func Handler() http.Handler {
	// The tables of media types differ between systems, and some lack these types.
	for extension, media := range map[string]string{".wasm": "application/wasm",
		".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"} {
		if err := mime.AddExtensionType(extension, media); err != nil {
			panic(err) // The arguments are constant.
		}
	}
	files := statigz.FileServer(dist, brotli.AddEncoding, statigz.FSPrefix("dist"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsBuilt() {
			http.Error(w, "The app is not in this binary. Build it with: make build", http.StatusNotFound)
			return
		}
		if !files.Found(r) && strings.Contains(r.Header.Get("Accept"), "text/html") {
			r = r.Clone(r.Context())
			r.URL.Path = "/"
		}
		w.Header().Set("Content-Security-Policy", ContentSecurityPolicy)
		// File names contain no version, so a browser must ask each time. The ETag lets
		// the broker answer 304.
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
