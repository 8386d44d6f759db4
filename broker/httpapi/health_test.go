package httpapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
)

// A broker with warnings is ready, and lists them.
func TestWarningsDoNotMakeTheBrokerUnready(t *testing.T) {
	var warnings []Warning
	s := newTestBrokerWith(
		t,
		memlog.New("k", time.Hour),
		func(_ string, c *Config) { c.Warnings = func() []Warning { return warnings } },
	)
	for range 2 {
		answer, body := s.send("GET", "/readyz", "")
		require.Equal(t, 200, answer.StatusCode)
		if warnings == nil {
			require.JSONEq(t, `{"status":"ready"}`, body)
		} else {
			require.JSONEq(t, `{"status":"ready","warnings":[{"code":"one","detail":"Mend it."}]}`, body)
		}
		warnings = []Warning{{"one", "Mend it."}}
	}
}
