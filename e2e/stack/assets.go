package stack

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveAssets serves a folder as Cloudflare serves static assets: the media type follows from the name, headers come
// from the file _headers, and a path without a file gets index.html. It returns the server's host and port.
func serveAssets(t testing.TB, dir string) string {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(dir, "_headers"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header(), string(rules), r.URL.Path)
		path := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+r.URL.Path)))
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			path = filepath.Join(dir, "index.html")
		}
		content, err := os.ReadFile(path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		types := map[string]string{".wasm": "application/wasm", ".webmanifest": "application/manifest+json"}
		media := types[filepath.Ext(path)]
		if media == "" {
			media = mime.TypeByExtension(filepath.Ext(path))
		}
		w.Header().Set("Content-Type", media)
		w.Write(content)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// setHeaders sets the headers that rules define for a path. The rules have the format of Cloudflare's file _headers: a
// line with a path, and its headers indented below.
func setHeaders(h http.Header, rules, path string) {
	applies := false
	for line := range strings.Lines(rules) {
		line = strings.TrimRight(line, "\n")
		if name, value, header := strings.Cut(strings.TrimSpace(line), ":"); strings.HasPrefix(line, " ") && header &&
			applies {
			h.Set(name, strings.TrimSpace(value))
		} else if !strings.HasPrefix(line, " ") {
			applies = strings.HasPrefix(path, strings.TrimSuffix(line, "*"))
		}
	}
}
