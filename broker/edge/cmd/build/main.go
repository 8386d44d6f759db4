//go:build !js

// Command build completes a directory for the edge in which the generator of the workers module has
// written its files. It replaces their script by worker.mjs, and unpacks the app as static assets.
// It fails if the program is too large.
package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/snd-rental/yardline/broker/webui"
)

func main() {
	wasm := flag.String("wasm", "", "the program's wasm `file`")
	worker := flag.String("worker", "", "the `file` worker.mjs")
	out := flag.String("out", "", "the `directory` to complete")
	limit := flag.Int64("limit", 0, "fail where the wasm has more `bytes` in gzip; 0 is no limit")
	flag.Parse()
	log.SetFlags(0)
	if err := build(*wasm, *worker, *out, *limit); err != nil {
		log.Fatal("build: ", err)
	}
}

// build completes the directory out. limit is the largest size of the program in gzip, in bytes; 0
// disables the check.
func build(wasm, worker, out string, limit int64) error {
	size, err := gzipSize(wasm)
	if err != nil {
		return err
	}
	if limit > 0 && size > limit {
		return fmt.Errorf("the program has %d bytes in gzip, more than %d", size, limit)
	}
	if err := os.Remove(filepath.Join(out, "runtime.mjs")); err != nil {
		return err
	}
	for name, from := range map[string]string{"edge.wasm": wasm, "worker.mjs": worker} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("edge: %.2f MB in gzip\n", float64(size)/1e6)
	return assets(filepath.Join(out, "assets"))
}

// counter counts the bytes that are written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// gzipSize returns the size of a file in gzip, in bytes. The platform limits this size.
func gzipSize(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var size counter
	zip, err := gzip.NewWriterLevel(&size, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(zip, f); err != nil {
		return 0, err
	}
	return int64(size), zip.Close()
}

// assets unpacks the app into the directory out. The platform compresses the files itself, as each
// browser accepts.
func assets(out string) error {
	if !webui.IsBuilt() {
		return fmt.Errorf("the app is not built: run make build first")
	}
	files := webui.Files()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "README" || strings.HasSuffix(path, ".br") {
			return err
		}
		return unpack(files, path, out)
	})
	if err != nil {
		return err
	}
	headers := "/*\n  Content-Security-Policy: " + webui.ContentSecurityPolicy +
		"\n  X-Content-Type-Options: nosniff\n  Referrer-Policy: same-origin\n  Cache-Control: no-cache\n" +
		"/embed/*\n  Access-Control-Allow-Origin: *\n  Cross-Origin-Resource-Policy: cross-origin\n"
	return os.WriteFile(filepath.Join(out, "_headers"), []byte(headers), 0o644)
}

// unpack writes the file at path into the directory out, uncompressed.
func unpack(files fs.FS, path, out string) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var content io.Reader = f
	name, isGzip := strings.CutSuffix(path, ".gz")
	if isGzip {
		if content, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	to := filepath.Join(out, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	made, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(made, content); err != nil {
		return err
	}
	return made.Close()
}
