package sharedgzip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/demo"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// demoFrames returns n frames of the demo's company, as a manager's stream has them. They have 455 bytes on average.
func demoFrames(t testing.TB, n int) (frames [][]byte) {
	t.Helper()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	company := demo.NewCompany(1, now, "EUR")
	events := company.OpeningDay()
	for len(frames) < n {
		for _, e := range events {
			redacted, ok := access.RedactForRoles([]access.Role{access.Manager}, e)
			if !ok {
				continue
			}
			at := wire.Cursor{Epoch: "kq3v7xw2m4", Seq: uint64(1000 + len(frames))}
			redacted.Cursor = at.String()
			frames = append(frames, wire.SSE.Append(nil, &wire.Event{Cursor: at, Event: redacted}))
		}
		now = now.Add(time.Second)
		events = company.Step(now)
	}
	require.NotEmpty(t, frames)
	return frames[:n]
}
