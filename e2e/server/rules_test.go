package server

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, deptest.Rule{Packages: "../...", Forbidden: map[string]string{
		"github.com/snd-rental/yardline/broker/hub":             "the whole is tested from outside",
		"github.com/snd-rental/yardline/broker/eventlog/jetlog": "the whole is tested from outside",
		"github.com/snd-rental/yardline/app/...":                "the whole is tested as it is served",
	}})
}
