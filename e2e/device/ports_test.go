package device

import (
	"testing"

	"github.com/snd-rental/yardline/e2e/browser"
)

// The tests of locks, channels and storage run in a real page.
func TestBrowserPortsWorkInAPage(t *testing.T) { browser.GoTest(t, "../../wasmclient/browser/inpage") }
