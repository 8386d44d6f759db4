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
	require.Equal(t, [2]string{"Live", ""}, a.announce(at(0), "Live", nil))
	require.Equal(t, [2]string{"Live", "Late"}, a.announce(at(1), "Live", []toast.Toast{paid, late}), "the polite region waits")
	require.Equal(t, [2]string{"Paid", "Late"}, a.announce(at(2), "Live", []toast.Toast{paid, late}))
	require.Equal(t, [2]string{"Paid", "Late"}, a.announce(at(9), "Live", []toast.Toast{late}), "it is gone")
	require.Equal(t, [2]string{"Reconnecting", "Late"}, a.announce(at(20), "Reconnecting", []toast.Toast{late}))
	paid.Key = "3"
	a.announce(at(21), "Live", []toast.Toast{late, paid})
	require.Equal(t, [2]string{"Live Paid", "Late"}, a.announce(at(22), "Live", []toast.Toast{late, paid}), "two that waited")
	late.Key = "4"
	require.Equal(t, "Late\u00a0", a.announce(at(30), "Live", []toast.Toast{late})[1], "the same words of another")
}
