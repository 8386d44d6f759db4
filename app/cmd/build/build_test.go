//go:build !wasm

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGeneratePatchesGoAppReproducibly generates the files with a stand-in for the wasm. The patches must fit
// the present go-app, and the same input must give the same files.
func TestGeneratePatchesGoAppReproducibly(t *testing.T) {
	make := func() map[string][]byte {
		files, err := assets("../../web")
		require.NoError(t, err)
		files["web/app.wasm"] = []byte("wasm")
		require.NoError(t, generate(files))
		return files
	}
	files := make()
	for _, name := range []string{
		"index.html", "app.js", "app.css", "app-worker.js", "wasm_exec.js", "manifest.webmanifest",
		"web/main.css", "web/icon-192.png",
	} {
		require.NotEmpty(t, files[name], name)
	}
	sheet := string(files["web/main.css"])
	root, print := strings.Index(sheet, ":root {"), strings.Index(sheet, "@media print {")
	require.Less(t, root, print, "the sheets are in their order")
	require.Contains(t, string(files["app.js"]), "goappApplyUpdate")
	require.Contains(t, string(files["app-worker.js"]), `const bypass = ["/api/", "/embed/"]`)
	require.NotContains(t, string(files["app-worker.js"]), "{{")
	require.NotContains(t, string(files["app-worker.js"]), "https://", "the worker caches local files alone")
	require.Contains(t, string(files["manifest.webmanifest"]), `"id": "/"`)
	require.NotContains(t, string(files["index.html"]), "https://")
	for _, part := range []string{
		`<html lang="en" translate="no">`,
		`<meta content="notranslate" name="google"/>`,
		`<link crossorigin="use-credentials" href="/manifest.webmanifest" rel="manifest"/>`,
	} {
		require.Contains(t, string(files["index.html"]), part)
	}
	for _, name := range []string{"app.js", "app-worker.js"} {
		require.NotContains(t, string(files[name]), "«", "a text is missing")
	}
	for range 3 {
		require.Equal(t, files, make())
	}
}

func TestPatchesRefuseAnotherLoaderAndInlineCode(t *testing.T) {
	_, err := patchLoader([]byte("another loader"))
	require.ErrorContains(t, err, "go-app has changed")
	_, err = patchShell([]byte(`<p style="color:red">`))
	require.ErrorContains(t, err, "policy")
	_, err = patchShell([]byte(`<script>alert(1)</script>`))
	require.ErrorContains(t, err, "policy")
	_, err = patchShell([]byte(`<img src="https://example.org/x.png">`))
	require.ErrorContains(t, err, "policy")
}

func TestWriteWritesBothCompressedForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "x.css")
	n, err := write(path, make([]byte, 10000))
	require.NoError(t, err)
	require.Less(t, n, 100)
	for _, form := range []string{".br", ".gz"} {
		_, err := os.Stat(path + form)
		require.NoError(t, err)
	}
}
