package memlog

import (
	"testing"
	"time"

	"github.com/snd-rental/yardline/broker/eventlog"
	"github.com/snd-rental/yardline/broker/eventlog/logtest"
)

// TestMemoryLogKeepsContract runs the suite with a log in memory.
func TestMemoryLogKeepsContract(t *testing.T) {
	logtest.Run(t, logtest.Opener{Open: func(*testing.T) eventlog.Log { return New("mem", time.Hour) }})
}
