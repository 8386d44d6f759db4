package fake

import (
	"testing"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/porttest"
)

func TestPage(t *testing.T) {
	b := &Browser{}
	porttest.Page(t, func() wasmclient.Page { return b.NewTab() })
}

func TestMemory(t *testing.T) { porttest.Storage(t, &wasmclient.Memory{}) }
