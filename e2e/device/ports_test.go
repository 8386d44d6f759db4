package device

import (
	"testing"

	"github.com/snd-rental/yardline/e2e/browser"
)

// TestPorts runs the contract of locks, channels and storage in a real page.
func TestPorts(t *testing.T) { browser.GoTest(t, "../../wasmclient/browser/inpage") }
