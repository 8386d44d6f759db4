// Package browser drives a real Chromium for the tests: one browser a test
// binary, a browser context a user (own cookies, storage and workers), and
// tabs as objects that note every console error, exception, failed request and
// violation of the content security policy from before their first page.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/snd-rental/yardline/e2e/output"
)

// root is the browser's own context; no test cancels it.
var root context.Context

// Main runs a package's tests with a browser: func TestMain(m) { browser.Main(m) }.
func Main(m *testing.M) {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: stopping Chromium:", err)
		code = 1
	}
	os.Exit(code)
}

func find() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("the browser tests need Chromium, but CHROMIUM=%s cannot be run: %w", path, err)
		}
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the browser tests need Chromium and found none: run make deps, or set CHROMIUM=/path/to/it")
}

// start starts the browser. Hidden tabs are throttled as they are in life:
// chromedp's default flags, which switch that off, are not used.
func start() (stop func() error, err error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "yardline-chromium-")
	if err != nil {
		return nil, err
	}
	var said output.Buffer
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), flags(path, dir, &said)...)
	nothing := func(string, ...any) {}
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithLogf(nothing), chromedp.WithErrorf(undecoded.note)) // Cancel below ends it
	// The first command binds the browser's life to its context, so it has no
	// deadline of its own.
	started := make(chan error, 1)
	go func() { started <- chromedp.Do(ctx) }()
	select {
	case err = <-started:
	case <-time.After(time.Minute):
		err = errors.New("it did not answer within a minute")
	}
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("the browser (%s) did not start: %w\n%s", path, err, said.String()), os.RemoveAll(dir))
	}
	root = ctx
	return func() error {
		within, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		err := chromedp.Cancel(within) // waits for the process
		cancel()
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}

func flags(path, dir string, said *output.Buffer) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.CombinedOutput(said),
		chromedp.Env("TMPDIR="+dir, "HOME="+dir), // it leaves files in both
		chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1280, 900),
		chromedp.NoSandbox, // root, as in most CI, has no sandbox
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter"), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("password-store", "basic"),
		// Names of this machine, so that tests have origins of one site and of
		// others. They sign their certificates themselves.
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.example 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true),
	}
	for _, name := range []string{"gpu", "quic", "background-networking", "component-update", "sync", "default-apps", "extensions", "breakpad",
		"crash-reporter", "dev-shm-usage", "search-engine-choice-screen"} {
		options = append(options, chromedp.Flag("disable-"+name, true))
	}
	return options
}
