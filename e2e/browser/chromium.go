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

	"github.com/snd-rental/yardline/shared/syncbuffer"
)

// root is the context of the browser. No test cancels it.
var root context.Context

// Main starts the browser, runs the tests of a package, stops the browser and exits. Call it from TestMain.
func Main(m *testing.M) {
	stop, err := startBrowser()
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

// findChromium returns the path of Chromium: that of the environment variable CHROMIUM, or the first on PATH.
func findChromium() (string, error) {
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

// startBrowser starts the browser and returns a function that stops it. The browser throttles hidden tabs as it does
// for users, because startBrowser does not use chromedp's default flags.
func startBrowser() (stop func() error, err error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "yardline-chromium-")
	if err != nil {
		return nil, err
	}
	var printed syncbuffer.Buffer
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), chromiumOptions(path, dir, &printed)...)
	discard := func(string, ...any) {}
	// chromedp.Cancel below ends the context.
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithLogf(discard), chromedp.WithErrorf(undecoded.keepDropped))
	// The browser lives as long as the context of its first command, so that context has no deadline.
	started := make(chan error, 1)
	go func() { started <- chromedp.Do(ctx) }()
	select {
	case err = <-started:
	case <-time.After(time.Minute):
		err = errors.New("it did not answer within a minute")
	}
	if err != nil {
		cancel()
		err = fmt.Errorf("the browser (%s) did not start: %w\n%s", path, err, printed.String())
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	root = ctx
	return func() error {
		stopCtx, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		err := chromedp.Cancel(stopCtx) // It waits for the end of the process.
		cancel()
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}

// chromiumOptions returns the options of Chromium. dir is its directory, printed receives its output.
func chromiumOptions(path, dir string, printed *syncbuffer.Buffer) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.CombinedOutput(printed),
		chromedp.Env("TMPDIR="+dir, "HOME="+dir), // Chromium leaves files in both.
		chromedp.Headless,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1280, 900),
		chromedp.NoSandbox, // Root, as in most CI, cannot have a sandbox.
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter"),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("password-store", "basic"),
		// These names lead to this machine, so that tests have origins of the same site and of others. The tests
		// sign the certificates themselves.
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.example 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors", true),
	}
	for _, name := range []string{
		"gpu", "quic", "background-networking", "component-update", "sync", "default-apps", "extensions", "breakpad",
		"crash-reporter", "dev-shm-usage", "search-engine-choice-screen",
	} {
		options = append(options, chromedp.Flag("disable-"+name, true))
	}
	return options
}
