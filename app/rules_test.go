package app

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

const module = "github.com/snd-rental/yardline/"

func TestAppImportsOnlyWhatItMay(t *testing.T) {
	everywhere := deptest.Rule{
		Packages: "./...",
		Forbidden: map[string]string{
			module + "broker/...":            "the app knows the broker by its protocol alone",
			module + "wasmclient/native/...": "it brings the HTTP client, 0.8 MB of wasm",
		},
	}
	program := deptest.Rule{
		Packages: "./cmd/web",
		Env:      []string{"GOOS=js", "GOARCH=wasm"},
		Forbidden: map[string]string{
			"nhooyr.io/websocket":  "the browser has its own",
			"golang.org/x/net/...": "only the build needs it",
		},
	}
	controls := deptest.Rule{
		Packages:  "./ui",
		Forbidden: map[string]string{module + "app/live": "controls keep no state"},
	}
	deptest.Check(t, everywhere, program, controls)
}

func TestWaitingUsesNoTestify(t *testing.T) {
	deptest.CheckSelectors(t, ".", deptest.WaitingRules)
}
