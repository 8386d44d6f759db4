//go:build !wasm

// Command build makes the static files of the app, compressed with brotli and gzip, for the broker to
// embed: the wasm, the assets, and go-app's shell, loader and manifest with the patches of patch.go.
// The service worker is worker.js; loader.js extends go-app's loader.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"github.com/snd-rental/yardline/app/pages"
	"github.com/snd-rental/yardline/app/text"
)

//go:embed worker.js
var workerTemplate string

func main() {
	wasm := flag.String("wasm", "", "the app's wasm `file`")
	web := flag.String("web", "", "the `directory` of its assets")
	widget := flag.String("widget", "", "the `file` of the status widget")
	out := flag.String("out", "", "the `directory` to write, emptied first")
	limit := flag.Int("limit", 0, "fail where the wasm has more `bytes` in brotli; 0 is no limit")
	flag.Parse()
	log.SetFlags(0)
	if err := build(*wasm, *web, *widget, *out, *limit); err != nil {
		log.Fatal("build: ", err)
	}
}

func build(wasmFile, web, widgetFile, out string, limit int) error {
	files, err := assets(web)
	if err != nil {
		return err
	}
	if files["web/app.wasm"], err = os.ReadFile(wasmFile); err != nil {
		return err
	}
	if err := generate(files); err != nil {
		return err
	}
	// The widget is added after generate, because it is no part of the app's version.
	if files[widgetName], err = os.ReadFile(widgetFile); err != nil {
		return err
	}
	if err := empty(out); err != nil {
		return err
	}
	total, wasmBytes := 0, 0
	for name, content := range files {
		n, err := write(filepath.Join(out, name), content)
		if err != nil {
			return err
		}
		switch name {
		case widgetName:
			if zipped, err := os.Stat(filepath.Join(out, name+".gz")); err != nil || zipped.Size() > maxWidget {
				//nolint:errorlint // the error may be nil, which %w does not print
				return fmt.Errorf("the widget has more than %d bytes in gzip, or none (%v)", maxWidget, err)
			}
			continue
		case "web/app.wasm":
			wasmBytes = n
		}
		total += n
	}
	fmt.Printf("app: %d files, %.2f MB in brotli, of which wasm %.2f MB\n",
		len(files), float64(total)/1e6, float64(wasmBytes)/1e6)
	if limit > 0 && wasmBytes > limit {
		return fmt.Errorf("the wasm has %d bytes in brotli, over the limit of %d", wasmBytes, limit)
	}
	return nil
}

// widgetName is the path of the status widget, which other sites embed.
const widgetName = "embed/v1/status.js"

// maxWidget is the greatest size of the widget, in bytes of gzip, because pages of other sites load it.
const maxWidget = 5 << 10

// stylesDir is the directory of the style sheets, below the directory of the assets. Later rules override
// earlier ones, so the names of the files begin with numbers that give their order.
const stylesDir = "styles"

// assets reads the files that are served unchanged below web/. It joins the style sheets into web/main.css.
func assets(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == stylesDir {
			continue
		}
		if files["web/"+e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	sheets, err := filepath.Glob(filepath.Join(dir, stylesDir, "*.css")) // in the order of their names
	if err != nil {
		return nil, err
	}
	for _, name := range sheets {
		sheet, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files["web/main.css"] = append(files["web/main.css"], sheet...)
	}
	return files, nil
}

// generate adds the files that go-app makes, with the patches.
func generate(files map[string][]byte) error {
	app.Route("/", func() app.Composer { return pages.NewRoot(nil) })
	wasm := files["web/app.wasm"]
	icon := "/web/icon.svg"
	h := &app.Handler{
		Name:            "Yardline",
		ShortName:       "Yardline",
		Title:           "Yardline",
		Description:     text.Of("description"),
		Lang:            "en",
		BackgroundColor: "#f4f5f2",
		ThemeColor:      "#1b2126",
		LoadingLabel:    text.Of("loading"),
		Icon: app.Icon{
			Default:  "/web/icon-192.png",
			Large:    "/web/icon-512.png",
			Maskable: "/web/icon-maskable-512.png",
			SVG:      icon,
		},
		Styles:                []string{"/web/main.css"},
		CacheableResources:    []string{icon},
		Version:               version(files),
		WasmContentLength:     strconv.Itoa(len(wasm)),
		ServiceWorkerTemplate: withTexts(workerTemplate, "push.empty"),
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	// wasm_exec.js must be of the compiler that made the wasm.
	execFile := filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js")
	if files["wasm_exec.js"], err = os.ReadFile(execFile); err != nil {
		return err
	}
	for name, patchFile := range map[string]func([]byte) ([]byte, error){
		"index.html":           patchShell,
		"app.js":               patchLoader,
		"manifest.webmanifest": patchManifest,
		"app.css":              unchanged,
		"app-worker.js":        unchanged,
	} {
		path := "/" + strings.TrimSuffix(name, "index.html")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			return fmt.Errorf("go-app answers %d for %s", w.Code, path)
		}
		if files[name], err = patchFile(w.Body.Bytes()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// version returns a hash of everything that a browser caches, the patches included. The service worker
// contains it, because a changed service worker is the only sign of an update for browsers.
func version(files map[string][]byte) string {
	sum := sha256.New()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(sum, "%s %d\n", name, len(files[name]))
		sum.Write(files[name])
	}
	sum.Write([]byte(workerTemplate + loaderAddition + patchSource))
	return fmt.Sprintf("%x", sum.Sum(nil))[:16]
}

// empty removes the files of an earlier build. README stays, because it is in git.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "README" {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// brotliWindow is the window of brotli in bits. It covers the whole wasm. With a smaller one, the size of
// the wasm jumps by 0.03 MB when a function moves.
const brotliWindow = 24

// write writes both compressed forms of a file and returns the size in brotli. It writes a PNG
// unchanged, because that does not shrink.
func write(path string, content []byte) (int, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	if filepath.Ext(path) == ".png" {
		return len(content), os.WriteFile(path, content, 0o644)
	}
	var zip, br bytes.Buffer
	zipper, err := gzip.NewWriterLevel(&zip, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := zipper.Write(content); err != nil {
		return 0, err
	}
	if err := zipper.Close(); err != nil {
		return 0, err
	}
	packer := brotli.NewWriterOptions(&br, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: brotliWindow})
	if _, err := packer.Write(content); err != nil {
		return 0, err
	}
	if err := packer.Close(); err != nil {
		return 0, err
	}
	if err := os.WriteFile(path+".gz", zip.Bytes(), 0o644); err != nil {
		return 0, err
	}
	return br.Len(), os.WriteFile(path+".br", br.Bytes(), 0o644)
}
