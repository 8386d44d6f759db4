package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// goPage is a page that runs a test binary. Its variable output holds the binary's output. Its variable code is null
// until the binary ends, and then its exit status.
const goPage = `<!doctype html><script src="/wasm_exec.js"></script><script>
window.output = ""; window.code = null; const decoder = new TextDecoder();
fs.writeSync = (fd, buf) => { output += decoder.decode(buf, {stream: true}); return buf.length };
const go = new Go(); go.argv = ["test", "-test.v", "-test.timeout=1m"]; go.env = {}; go.exit = c => { code = c };
WebAssembly.instantiateStreaming(fetch("/test.wasm"), go.importObject)
  .then(r => go.run(r.instance)).catch(e => { output += "\n" + e; code ??= 2 });
</script>`

// GoTest runs the tests of the package in the folder dir in a page. The server of the page has the path /redirect, too,
// which redirects to another origin.
func GoTest(t *testing.T, dir string) {
	t.Helper()
	wasm := filepath.Join(t.TempDir(), "test.wasm")
	build := exec.Command("go", "test", "-c", "-o", wasm, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(strings.TrimSpace(string(goroot)), "lib/wasm/wasm_exec.js"))
	})
	mux.HandleFunc("/test.wasm", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		http.ServeFile(w, r, wasm)
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, goPage)
	})
	// A login proxy answers with such a redirect.
	mux.Handle("/redirect", http.RedirectHandler("http://login.example/", http.StatusFound))
	s := httptest.NewServer(mux)
	defer s.Close()
	tab := NewUser(t).NewTab()
	tab.Open(s.URL)
	tab.Eventually(90*time.Second, `code !== null`)
	output := Eval[string](tab, `output`)
	if code := Eval[int](tab, `code`); code != 0 || !strings.Contains(output, "--- PASS") {
		t.Errorf("the tests of %s in a page ended with %d:\n%s", dir, code, output)
	}
}
