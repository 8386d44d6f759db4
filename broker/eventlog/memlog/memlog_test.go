package memlog

import (
	"testing"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
)

func TestMemoryLogKeepsContract(t *testing.T) {
	logtest.Run(t, logtest.Opener{Open: func(*testing.T) eventlog.Log { return New("mem", time.Hour) }})
}
