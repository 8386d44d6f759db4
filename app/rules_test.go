package app

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t,
		deptest.Rule{Packages: "./...", Forbidden: map[string]string{
			"github.com/snd-rental/yardline/broker/...":            "the app knows the broker by its protocol alone",
			"github.com/snd-rental/yardline/wasmclient/native/...": "it brings the HTTP client, 0.8 MB of wasm",
		}},
		deptest.Rule{Packages: "./cmd/web", Env: []string{"GOOS=js", "GOARCH=wasm"}, Forbidden: map[string]string{
			"nhooyr.io/websocket":  "the browser has its own",
			"golang.org/x/net/...": "it belongs to the build",
		}},
		deptest.Rule{Packages: "./ui", Forbidden: map[string]string{"github.com/snd-rental/yardline/app/live": "components keep no state"}},
	)
}
