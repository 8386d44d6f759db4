package wasmclient

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestImports(t *testing.T) {
	never := map[string]string{
		"github.com/snd-rental/yardline/broker/...": "the client knows the broker by its protocol alone",
		"github.com/snd-rental/yardline/app/...":    "the app is built on the client",
	}
	inBrowser := map[string]string{"net/http": "the HTTP client costs 0.8 MB of wasm", "nhooyr.io/websocket": "it costs 0.24 MB of wasm; the browser has its own"}
	deptest.Check(t,
		deptest.Rule{Packages: "./...", Forbidden: never},
		deptest.Rule{Packages: ".", Forbidden: inBrowser},
		deptest.Rule{Packages: "./internal/...", Forbidden: inBrowser},
		deptest.Rule{Packages: "./port", Forbidden: inBrowser},
		deptest.Rule{Packages: "./browser", Env: []string{"GOOS=js", "GOARCH=wasm"}, Forbidden: inBrowser},
		deptest.Rule{Packages: "./tabs", Forbidden: map[string]string{"context": "the machines wait for nothing", "syscall/js": "they are pure"},
			AllowedPrefixes: []string{"github.com/snd-rental/yardline/shared/", "github.com/snd-rental/yardline/wasmclient/conn", "github.com/snd-rental/yardline/wasmclient/tabs"}, Reason: "the machines are pure"},
		deptest.Rule{Packages: "./outbox", Forbidden: map[string]string{"context": "the machine waits for nothing", "syscall/js": "it is pure"},
			AllowedPrefixes: []string{"github.com/snd-rental/yardline/shared/", "github.com/snd-rental/yardline/wasmclient/outbox"}, Reason: "the machine is pure"},
		deptest.Rule{Packages: "./conn", Forbidden: map[string]string{"context": "the machine waits for nothing", "net": "the machine has no network", "syscall/js": "the machine is pure"},
			AllowedPrefixes: []string{"github.com/snd-rental/yardline/shared/", "github.com/snd-rental/yardline/wasmclient/conn"}, Reason: "the machine is pure"},
	)
}
