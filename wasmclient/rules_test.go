package wasmclient

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestPackagesImportOnlyWhatTheirLayerMay(t *testing.T) {
	const (
		module = "github.com/snd-rental/yardline/wasmclient/"
		shared = "github.com/snd-rental/yardline/shared/"
		pure   = "the machines are pure"
	)
	above := map[string]string{
		"github.com/snd-rental/yardline/broker/...": "the client knows the broker by its protocol alone",
		"github.com/snd-rental/yardline/app/...":    "the app is built on the client",
	}
	heavy := map[string]string{
		"net/http":            "the HTTP client costs 0.8 MB of wasm",
		"nhooyr.io/websocket": "it costs 0.24 MB of wasm; the browser has its own",
	}
	impure := map[string]string{"context": "the machines wait for nothing", "net": pure, "syscall/js": pure}
	machine := func(name string, alsoAllowed ...string) deptest.Rule {
		allowed := append([]string{shared, module + name}, alsoAllowed...)
		return deptest.Rule{Packages: "./" + name, Forbidden: impure, AllowedPrefixes: allowed, Reason: pure}
	}
	deptest.Check(t,
		deptest.Rule{Packages: "./...", Forbidden: above},
		deptest.Rule{Packages: ".", Forbidden: heavy},
		deptest.Rule{Packages: "./internal/...", Forbidden: heavy},
		deptest.Rule{Packages: "./port", Forbidden: heavy},
		deptest.Rule{Packages: "./browser", Env: []string{"GOOS=js", "GOARCH=wasm"}, Forbidden: heavy},
		machine("conn"),
		machine("tabs", module+"conn"),
		machine("outbox"),
	)
}

func TestWaitingUsesNoTestify(t *testing.T) {
	deptest.CheckSelectors(t, ".", deptest.WaitingRules)
}
