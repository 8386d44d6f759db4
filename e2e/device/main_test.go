package device

import (
	"testing"

	"github.com/snd-rental/yardline/e2e/browser"
)

func TestMain(m *testing.M) { browser.Main(m) }
