package e2e

import (
	"testing"

	"github.com/snd-rental/yardline/shared/deptest"
)

func TestImportsFollowTheArchitecture(t *testing.T) {
	deptest.Check(t, deptest.Rule{Packages: "./...", Forbidden: map[string]string{
		"github.com/snd-rental/yardline/broker/hub":             "the whole is tested from outside",
		"github.com/snd-rental/yardline/broker/eventlog/jetlog": "the whole is tested from outside",
		"github.com/snd-rental/yardline/app/...":                "the whole is tested as it is served",
	}})
}

func TestWaitingUsesNoTestify(t *testing.T) {
	deptest.CheckSelectors(t, ".", deptest.WaitingRules)
}
