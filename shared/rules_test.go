//go:build !js

package shared

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestSharedUsesTheStandardLibraryOnly(t *testing.T) {
	for _, name := range []string{"event", "access", "filter", "notify", "problem", "projection", "wire"} {
		deptest.Check(t, deptest.Rule{
			Packages:        "./" + name,
			AllowedPrefixes: []string{"github.com/snd-rental/yardline/shared/"},
			Reason:          "shared is compiled into every program",
			Forbidden: map[string]string{
				"net/http": "it adds 0.8 MB to the browser's wasm",
				"testing":  "it belongs to tests",
				"os/exec":  "shared is pure",
			},
		})
	}
}
