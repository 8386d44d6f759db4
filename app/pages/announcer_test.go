package pages

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/wasmclient/toast"
)

// A change is announced once. A toast that goes away is not announced.
func TestAnnouncerSpeaksOnceForEachChange(t *testing.T) {
	var a announcer
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	paid := toast.Toast{Key: "1", Severity: event.Success, Text: "Paid"}
	late := toast.Toast{Key: "2", Severity: event.Error, Text: "Late"}
	paidAgain, lateAgain := paid, late
	paidAgain.Key, lateAgain.Key = "3", "4"
	for _, step := range []struct {
		second int
		state  string
		toasts []toast.Toast
		want   [2]string
		why    string
	}{
		{0, "Live", nil, [2]string{"Live", ""}, "the state is new"},
		{1, "Live", []toast.Toast{paid, late}, [2]string{"Live", "Late"}, "the polite region waits"},
		{2, "Live", []toast.Toast{paid, late}, [2]string{"Paid", "Late"}, "the polite region has waited"},
		{9, "Live", []toast.Toast{late}, [2]string{"Paid", "Late"}, "a toast has gone"},
		{20, "Reconnecting", []toast.Toast{late}, [2]string{"Reconnecting", "Late"}, "the state has changed"},
		{21, "Live", []toast.Toast{late, paidAgain}, [2]string{"Reconnecting", "Late"}, "both changes wait"},
		{22, "Live", []toast.Toast{late, paidAgain}, [2]string{"Live Paid", "Late"}, "both changes have waited"},
		{30, "Live", []toast.Toast{lateAgain}, [2]string{"Live Paid", "Late\u00a0"}, "another toast has the same text"},
	} {
		require.Equal(t, step.want, a.announce(at(step.second), step.state, step.toasts), step.why)
	}
}
