// Package webui serves the built app, which is embedded in the binary in its
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

// dist is written by the app's build command; it holds a note alone where the
// app was not built.
//
//go:embed all:dist
var dist embed.FS

// ContentSecurityPolicy allows what the app is made of and nothing else.
// WebAssembly needs its own word; no inline script or style is allowed.
const ContentSecurityPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Dist are the files of the app, each in its compressed forms alone, where it
// has any.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // a constant argument
	}
	return files
}

// Built tells whether the app is in this binary.
func IsBuilt() bool {
	_, err := fs.Stat(dist, "dist/index.html.br")
	return err == nil
}

// Handler serves the app. A browser that asks for a page at any other path is
// given the shell: the app finds its page from the location.
func Handler() http.Handler {
	// Systems' tables differ, and some lack what the app is made of.
	for extension, media := range map[string]string{".wasm": "application/wasm",
		".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"} {
		if err := mime.AddExtensionType(extension, media); err != nil {
			panic(err) // constant arguments
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
		// Names carry no version: a browser asks each time, and is answered
		// 304 by the ETag.
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
